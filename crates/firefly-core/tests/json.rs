//! JSON values that are kept, and those that DynamoDB could not hold.

use firefly_core::json::{JsonError, JsonObject, JsonValue, MAX_DEPTH};
use proptest::prelude::*;

/// Returns the text of the number that the literal becomes.
fn number(literal: &str) -> Result<String, JsonError> {
    let object = JsonObject::parse(&format!("{{\"n\":{literal}}}"))?;
    Ok(match object.get("n") {
        Some(JsonValue::Number(number)) => number.as_str().to_owned(),
        other => format!("not a number: {other:?}"),
    })
}

#[test]
fn values_are_kept_in_the_order_sent() {
    let object =
        JsonObject::parse(r#" { "z": null, "a": [true, false, "é\n\ud83d\udca1", {}, []], "m": {"k": -1} } "#).unwrap();
    let names: Vec<&str> = object.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["z", "a", "m"]);
    assert_eq!(object.get("z"), Some(&JsonValue::Null));
    let Some(JsonValue::Array(elements)) = object.get("a") else {
        panic!("a is an array");
    };
    assert_eq!(elements[..3], [JsonValue::Bool(true), JsonValue::Bool(false), JsonValue::String("é\n💡".to_owned())]);
    assert_eq!(elements[3], JsonValue::Object(JsonObject::parse("{}").unwrap()));
    assert_eq!(elements[4], JsonValue::Array(Vec::new()));
    let Some(JsonValue::Object(inner)) = object.get("m") else {
        panic!("m is an object");
    };
    assert!(matches!(inner.get("k"), Some(JsonValue::Number(number)) if number.as_str() == "-1"));
    assert_eq!(object.get("k"), None);
}

#[test]
fn the_last_of_duplicates_wins_in_the_place_of_the_first() {
    let object = JsonObject::parse(r#"{"a":1,"b":2,"\u0061":3}"#).unwrap();
    assert_eq!(object, JsonObject::parse(r#"{"a":3,"b":2}"#).unwrap());
}

#[test]
fn containers_nest_sixteen_deep() {
    assert_eq!(MAX_DEPTH, 16);
    let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let arrays = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    for nested in [objects, arrays] as [fn(usize) -> String; 2] {
        assert!(JsonObject::parse(&nested(16)).is_ok());
        for depth in [17, 18, 5000] {
            assert_eq!(JsonObject::parse(&nested(depth)), Err(JsonError::TooDeep), "{depth}");
        }
    }
}

#[test]
fn integers_are_kept_within_64_bits() {
    for (literal, text) in [
        ("0", "0"),
        ("-0", "0"),
        ("-1", "-1"),
        ("4194304", "4194304"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
    ] {
        assert_eq!(number(literal).as_deref(), Ok(text), "{literal}");
    }
    for literal in ["-9223372036854775809", "18446744073709551616", "100000000000000000000000000000000000000000"] {
        assert_eq!(number(literal), Err(JsonError::NumberOutOfRange), "{literal}");
    }
}

#[test]
fn other_numbers_are_kept_within_their_magnitudes() {
    for (literal, text) in [
        ("0.0", "0"),
        ("-0.0", "0"),
        ("0e5", "0"),
        ("0.000e-999", "0"),
        ("1.0", "1.0"),
        ("1.50", "1.5"),
        ("-2.5", "-2.5"),
        ("1e2", "100.0"),
        ("1E+2", "100.0"),
        ("0.1", "0.1"),
        ("0.10000000000000000000000000000000000000000001", "0.1"),
        ("12345678901234567890.0", "1.2345678901234567e19"),
        ("1e-7", "1e-7"),
        ("1e120", "1e120"),
        ("-1e120", "-1e120"),
        ("1e-120", "1e-120"),
        ("-1e-120", "-1e-120"),
        ("9.999999999999998e119", "9.999999999999998e119"),
        ("1.0000000000000002e-120", "1.0000000000000002e-120"),
    ] {
        assert_eq!(number(literal).as_deref(), Ok(text), "{literal}");
    }
    for literal in [
        "1.0000000000000002e120",
        "-1.1e120",
        "1e121",
        "1e308",
        "1e309",
        "-1e999999999999",
        "0.9999999999999998e-120",
        "1e-121",
        "-1e-121",
        "5e-324",
        "1e-400",
        "0.0000000001e-999999999999",
    ] {
        assert_eq!(number(literal), Err(JsonError::NumberOutOfRange), "{literal}");
    }
}

#[test]
fn each_fault_has_its_error() {
    for (text, error) in [
        ("", JsonError::Syntax),
        ("{", JsonError::Syntax),
        ("{}{}", JsonError::Syntax),
        ("{} x", JsonError::Syntax),
        ("{\"a\":1,}", JsonError::Syntax),
        ("{\"a\":01}", JsonError::Syntax),
        ("{\"a\":+1}", JsonError::Syntax),
        ("{\"a\":.5}", JsonError::Syntax),
        ("{\"a\":NaN}", JsonError::Syntax),
        ("{\"a\":Infinity}", JsonError::Syntax),
        ("{\"a\":\"\n\"}", JsonError::Syntax),
        ("{a:1}", JsonError::Syntax),
        ("{\"a\":{\"b\":\"\\x\"}}", JsonError::Syntax),
        ("\u{feff}{}", JsonError::Syntax),
        ("[]", JsonError::NotAnObject),
        ("null", JsonError::NotAnObject),
        ("\"{}\"", JsonError::NotAnObject),
        ("{\"\":1}", JsonError::EmptyName),
        ("{\"a\":[{\"\":1}]}", JsonError::EmptyName),
        ("{\"a\":\"\\ud800\"}", JsonError::LoneSurrogate),
        ("{\"a\":[\"\\udc00\\ud800\"]}", JsonError::LoneSurrogate),
        ("{\"\\ud800\":1}", JsonError::LoneSurrogate),
        ("{\"a\":1e999}", JsonError::NumberOutOfRange),
    ] {
        assert_eq!(JsonObject::parse(text), Err(error), "{text}");
    }
}

proptest! {
    #[test]
    fn a_number_keeps_its_value(number in prop::num::f64::NORMAL) {
        let literal = format!("{number:e}");
        let literal = if literal.contains('e') { literal } else { format!("{literal}e0") };
        match self::number(&literal) {
            Ok(text) => prop_assert_eq!(text.parse::<f64>(), Ok(number)),
            Err(error) => {
                prop_assert_eq!(error, JsonError::NumberOutOfRange);
                prop_assert!(!(1e-120..=1e120).contains(&number.abs()));
            }
        }
    }

    #[test]
    fn an_integer_is_kept_as_written(integer: i64) {
        prop_assert_eq!(number(&integer.to_string()), Ok(integer.to_string()));
    }
}
