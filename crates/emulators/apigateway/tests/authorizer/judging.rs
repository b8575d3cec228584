//! Which tokens are let through, and with which claims.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use emulator_apigateway::Unauthorized;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p256::ecdsa::signature::Signer as _;
use rsa::pkcs8::{EncodePublicKey as _, LineEnding};
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, ISSUER, Issuer, NOW, judge};
use crate::truncation::{assert_no_other_length, text};

fn encode_part(json: &Value) -> String {
    BASE64URL.encode(json.to_string())
}

#[tokio::test]
async fn claims_of_every_type_become_text() {
    let issuer = Issuer::new();
    let token = issuer.token_with(&json!({
        "true": true, "integer": -5, "large": 18_446_744_073_709_551_615_u64, "float": 1.5, "huge": 1e21,
        "empty": [], "one": ["a"], "mixed": ["a", 1, false, ["b"]], "object": {"a": "b", "c": 1}, "text": " [x] ",
    }));
    let claims = issuer.authorizer().authorize(Some(&token), NOW).await.unwrap();
    for (name, text) in [
        ("true", "true"),
        ("integer", "-5"),
        ("large", "18446744073709551615"),
        ("float", "1.5"),
        ("huge", "1000000000000000000000"),
        ("empty", "[]"),
        ("one", "[a]"),
        ("mixed", "[a 1 false [b]]"),
        ("object", "map[a:b c:1]"),
        ("text", " [x] "),
    ] {
        assert_eq!(claims[name], text, "{name}");
    }
}

#[tokio::test]
async fn a_claim_that_is_absent_of_another_type_or_of_another_value_is_its_own_refusal() {
    let issuer = Issuer::new();
    let authorizer = issuer.authorizer();
    for (changes, expected) in [
        (json!({}), Ok(())),
        (json!({"iss": "https://elsewhere"}), Err(Unauthorized::Issuer)),
        (json!({"iss": format!("{ISSUER}/")}), Err(Unauthorized::Issuer)),
        (json!({"iss": [ISSUER]}), Err(Unauthorized::Issuer)),
        (json!({"iss": null}), Err(Unauthorized::Issuer)),
        (json!({"aud": "another"}), Err(Unauthorized::Audience)),
        (json!({"aud": ["another", AUDIENCE]}), Ok(())),
        (json!({"aud": ["another"]}), Err(Unauthorized::Audience)),
        (json!({"aud": []}), Err(Unauthorized::Audience)),
        (json!({"aud": 1}), Err(Unauthorized::Audience)),
        (json!({"aud": null}), Err(Unauthorized::Audience)),
        (json!({"aud": null, "client_id": AUDIENCE}), Ok(())),
        (json!({"aud": null, "client_id": "another"}), Err(Unauthorized::Audience)),
        (json!({"aud": null, "client_id": [AUDIENCE]}), Err(Unauthorized::Audience)),
        (json!({"aud": "another", "client_id": AUDIENCE}), Err(Unauthorized::Audience)),
        (json!({"exp": NOW + 1}), Ok(())),
        (json!({"exp": NOW}), Err(Unauthorized::Expired)),
        (json!({"exp": NOW - 1}), Err(Unauthorized::Expired)),
        (json!({"exp": (NOW + 1).to_string()}), Err(Unauthorized::Expired)),
        (json!({"exp": null}), Err(Unauthorized::Expired)),
        (json!({"nbf": NOW}), Ok(())),
        (json!({"nbf": NOW + 1}), Err(Unauthorized::NotYetValid)),
        (json!({"nbf": "now"}), Err(Unauthorized::NotYetValid)),
        (json!({"iat": NOW}), Ok(())),
        (json!({"iat": NOW + 1}), Err(Unauthorized::NotYetValid)),
        (json!({"iat": null}), Ok(())),
    ] {
        assert_eq!(judge(&authorizer, &issuer.token_with(&changes)).await, expected, "{changes}");
    }
}

/// The text of a claim is all that a function gets: `[a b]` is two groups.
#[tokio::test]
async fn groups_that_cannot_be_told_apart_are_refused() {
    let issuer = Issuer::new();
    let authorizer = issuer.authorizer();
    for (groups, expected) in [
        (json!(["admins"]), Ok(())),
        (json!(["users", "admins"]), Ok(())),
        (json!([]), Ok(())),
        (json!("admins"), Ok(())),
        (json!(["[admins]", "admins]"]), Ok(())),
        (json!([1, true, null]), Ok(())),
        (json!({ "a group": "of a group" }), Ok(())),
        (json!(["x admins"]), Err(Unauthorized::Groups)),
        (json!(["users", "x admins y"]), Err(Unauthorized::Groups)),
        (json!(["x\tadmins"]), Err(Unauthorized::Groups)),
        (json!(["x\nadmins"]), Err(Unauthorized::Groups)),
        (json!(["x\u{a0}admins"]), Err(Unauthorized::Groups)),
        (json!(["x\u{2003}admins"]), Err(Unauthorized::Groups)),
        (json!(["x\0admins"]), Err(Unauthorized::Groups)),
        (json!([["x", "admins", "y"]]), Err(Unauthorized::Groups)),
        (json!([{ "x": "y", "z admins": "" }]), Err(Unauthorized::Groups)),
        (json!("x admins"), Err(Unauthorized::Groups)),
        (json!("[admins]"), Err(Unauthorized::Groups)),
    ] {
        let token = issuer.token_with(&json!({ "cognito:groups": groups }));
        assert_eq!(judge(&authorizer, &token).await, expected, "{groups}");
    }
}

#[tokio::test]
async fn only_rsa_signatures_of_a_known_key_count() {
    let issuer = Issuer::new();
    let authorizer = issuer.authorizer();
    let claims = json!({"sub": "1234", "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 1});
    let good = issuer.sign(&issuer.header(Algorithm::RS256), &claims);
    assert_eq!(judge(&authorizer, &good).await, Ok(()));

    // The key set names RS256 as the algorithm of its key.
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let token = issuer.sign(&issuer.header(algorithm), &claims);
        assert_eq!(judge(&authorizer, &token).await, Err(Unauthorized::Algorithm), "{algorithm:?}");
    }

    let public_pem = issuer.public_key().to_public_key_pem(LineEnding::LF).unwrap();
    let secret = EncodingKey::from_secret(public_pem.as_bytes());
    let hs256 = jsonwebtoken::encode(&issuer.header(Algorithm::HS256), &claims, &secret).unwrap();
    assert_eq!(judge(&authorizer, &hs256).await, Err(Unauthorized::Algorithm));

    let message = format!(
        "{}.{}",
        encode_part(&json!({"alg": "ES256", "typ": "JWT", "kid": issuer.key_id()})),
        encode_part(&claims)
    );
    let ec_key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let signature: p256::ecdsa::Signature = ec_key.sign(message.as_bytes());
    let es256 = format!("{message}.{}", BASE64URL.encode(signature.to_bytes()));
    assert_eq!(judge(&authorizer, &es256).await, Err(Unauthorized::Algorithm));

    for none in ["none", "None", "NONE", ""] {
        let header = encode_part(&json!({"alg": none, "typ": "JWT", "kid": issuer.key_id()}));
        let token = format!("{header}.{}.", encode_part(&claims));
        assert_eq!(judge(&authorizer, &token).await, Err(Unauthorized::Malformed), "{none:?}");
    }

    let other = Issuer::new();
    let unknown_key = other.sign(&other.header(Algorithm::RS256), &claims);
    assert_eq!(judge(&authorizer, &unknown_key).await, Err(Unauthorized::UnknownKey));
    let other_key = other.sign(&issuer.header(Algorithm::RS256), &claims);
    assert_eq!(judge(&authorizer, &other_key).await, Err(Unauthorized::Signature));
    let no_key = issuer.sign(&Header::new(Algorithm::RS256), &claims);
    assert_eq!(judge(&authorizer, &no_key).await, Err(Unauthorized::UnknownKey));
    let crit = Header { crit: Some(vec!["b64".to_owned()]), ..issuer.header(Algorithm::RS256) };
    assert_eq!(judge(&authorizer, &issuer.sign(&crit, &claims)).await, Err(Unauthorized::Malformed));
}

#[tokio::test]
async fn a_bearer_token_is_taken_from_its_header_and_any_other_header_is_refused() {
    let issuer = Issuer::new();
    let authorizer = issuer.authorizer();
    let token = issuer.token_with(&json!({}));
    for good in [
        token.clone(),
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("BEARER   {token}"),
        format!(" {token} "),
    ] {
        assert!(authorizer.authorize(Some(&good), NOW).await.is_ok(), "{good}");
    }
    assert_eq!(authorizer.authorize(None, NOW).await, Err(Unauthorized::Missing));
    let [header, claims, signature] = *token.split('.').collect::<Vec<_>>() else { panic!("three parts") };
    for bad in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Basic {token}"),
        format!("Bearer Bearer {token}"),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{signature}."),
        format!("{header}.{claims}.{signature}{signature}"),
        format!("{header}.{claims}.{}", &signature[4..]),
        format!("{header}.{}.{signature}", encode_part(&json!({"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 1}))),
        format!("{header}.{}.{signature}", BASE64URL.encode([0xff, 0xfe])),
        "\u{fffd}.ä.💡".to_owned(),
        "x".repeat(100_000),
    ] {
        assert!(authorizer.authorize(Some(&bad), NOW).await.is_err(), "{bad}");
    }
}

/// White space around the header's value is not of the token.
#[test]
fn a_token_has_no_other_length() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let issuer = Issuer::new();
    let authorizer = issuer.authorizer();
    let judge = |token: &str| runtime.block_on(judge(&authorizer, token));
    assert_no_other_length(issuer.token_with(&json!({})).as_bytes(), b" \t\n\x0b\x0c\r", text(judge));
}
