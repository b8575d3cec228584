//! `Cursor`'s text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firefly_stores::Cursor;

use crate::truncation::{assert_no_other_length, text};

/// The cursor of the list of all devices at the UUID of a controller.
const OF_ALL: &str = "eyJ1dWlkIjoiWkRZd09XWTBOV1F0WXpBeVppMHlaVGxsTFRrek1UZ3ROVEUzTUdZM1lqQm1aRGt5In0";

/// Like [`OF_ALL`], but of the list of a product.
const OF_PRODUCT: &str = concat!(
    "eyJ1dWlkIjoiWkRZd09XWTBOV1F0WXpBeVppMHlaVGxsTFRrek1UZ3ROVEUzTUdZM1lqQm1aRGt5Ii",
    "wicHJvZHVjdF9oZXgiOiIweDAwMDBGMUYxIn0"
);

/// Like [`OF_PRODUCT`], but in the index of keys.
const IN_KEYS: &str = concat!(
    "eyJ1dWlkIjoiWkRZd09XWTBOV1F0WXpBeVppMHlaVGxsTFRrek1UZ3ROVEUzTUdZM1lqQm1aRGt5Iiwi",
    "cHJvZHVjdF9oZXgiOiIweDAwMDBGMUYxIiwiaW5kZXgiOiJwcm9kdWN0X2hleC1rZXlzLWluZGV4In0"
);

/// The white space of JSON (RFC 8259 §2).
const WHITE_SPACE: &[u8] = b" \t\n\r";

/// The character that makes the text of a cursor end in a further byte of JSON: the last two bits of the 79, 115 or
/// 159 characters are unused, and these six follow them.
fn characters_of_white_space() -> Vec<u8> {
    let text = |byte: &u8| *URL_SAFE_NO_PAD.encode([0, 0, *byte]).as_bytes().last().unwrap();
    WHITE_SPACE.iter().map(text).collect()
}

#[test]
fn a_cursor_has_no_other_length() {
    for cursor in [OF_ALL, OF_PRODUCT, IN_KEYS] {
        assert_eq!(cursor.parse::<Cursor>().unwrap().to_string(), cursor);
        assert_no_other_length(cursor.as_bytes(), &characters_of_white_space(), text(str::parse::<Cursor>));
        let json = URL_SAFE_NO_PAD.decode(cursor).unwrap();
        assert_no_other_length(&json, WHITE_SPACE, |json| URL_SAFE_NO_PAD.encode(json).parse::<Cursor>().is_ok());
    }
}

/// A hash key has up to 2,048 bytes (DynamoDB, "Naming rules and constraints").
#[test]
fn the_longest_cursor_has_no_other_length() {
    let uuid = URL_SAFE_NO_PAD.encode("a".repeat(2_048));
    let cursor = URL_SAFE_NO_PAD.encode(format!(r#"{{"uuid":"{uuid}"}}"#));
    assert_no_other_length(cursor.as_bytes(), b"", text(str::parse::<Cursor>));
}
