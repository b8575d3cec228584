//! The size of an answer at its limit.

use super::*;
use crate::devices::product_index::ProductIndex;

/// A device that says this of itself.
fn device(text: &str) -> Item {
    [("product_id".to_owned(), AttributeValue::S(text.to_owned()))].into()
}

fn json(item: &Item) -> String {
    serde_json::to_string(&ListedDevice::of(item)).unwrap()
}

/// A device that takes this many bytes of an answer, most of them for quotes.
fn device_of(bytes: usize) -> Item {
    let left = bytes - 1 - payload_length(&json(&device("")));
    device(&("\"".repeat(left / 4) + &"a".repeat(left % 4)))
}

#[test]
fn the_length_in_the_payload_is_that_of_the_json_string() {
    let characters = (0..0x300).chain(0x2020..0x2040).chain(0xFFF0..0x1_0010).filter_map(char::from_u32);
    for text in characters.map(String::from).chain(["".to_owned(), "\\\"\\\\u0001\u{1f525}".to_owned()]) {
        let json = json(&device(&text));
        // Two quotes enclose the string.
        assert_eq!(payload_length(&json) + 2, serde_json::to_string(&json).unwrap().len(), "{text:?}");
    }
}

#[test]
fn an_answer_is_filled_to_its_last_byte_and_not_beyond() {
    for (first, fits) in [(MAX_BYTES - 1_001, true), (MAX_BYTES - 1_000, true), (MAX_BYTES - 999, false)] {
        let mut filling = Filling::default();
        assert!(filling.add(&device_of(first)));
        assert_eq!(filling.add(&device_of(1_000)), fits, "{first}");
        assert_eq!((filling.devices.len(), filling.bytes), if fits { (2, first + 1_000) } else { (1, first) });
    }
}

#[test]
fn a_payload_at_the_limit_has_less_than_5_mb() {
    let mut filling = Filling::default();
    while filling.add(&device_of(MAX_BYTES / 45)) {}
    assert_eq!(filling.bytes, MAX_BYTES);
    let (product, index) = ("0xFF010001".parse().unwrap(), ProductIndex::Keys);
    let longest = [("uuid".to_owned(), AttributeValue::S("\u{1}".repeat(2_048)))].into();
    let longest = Cursor::in_index(&longest, product, index).unwrap();
    let body = serde_json::to_string(&filling.into_page(Some(longest))).unwrap();
    let length = serde_json::to_string(&body).unwrap().len();
    assert!((MAX_BYTES..=4_999_000).contains(&length), "{length} bytes");
}

/// The list of sets of the table at [`MAX_BYTES`], as large as an item may be.
#[test]
fn the_dearest_row_fits_into_an_answer() {
    let controls = (0..0x20_u8).map(char::from).filter(|control| !"\u{8}\t\n\u{c}\r".contains(*control));
    let set: Vec<_> = std::iter::once(String::new()).chain(controls.map(String::from)).collect();
    // A set's elements have a byte each, but for the empty one, and the list takes one for each set.
    let sets = AttributeValue::L(vec![AttributeValue::Ss(set.clone()); 409_600 / set.len()]);
    let length = payload_length(&json(&[("mcu".to_owned(), sets)].into()));
    assert!((4_800_000..=4_915_520).contains(&length), "{length} bytes");
}

/// No row is that large; were one, the list would go on.
#[test]
fn the_first_device_is_always_added() {
    let mut filling = Filling::default();
    assert!(filling.add(&device_of(MAX_BYTES + 1)));
    assert!(!filling.add(&device("")));
}
