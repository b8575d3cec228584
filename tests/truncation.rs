//! One check of every wire format: it accepts a good value, and the same value neither cut short nor longer by a byte.
//!
//! Tests of any crate include the file with `#[path]`: a crate of its own for it would be a dependency of the core's tests.

/// Asserts that `accepts` takes `good`, but no proper prefix of it and no longer value of one more byte.
///
/// A byte of `padding` may follow: JSON, for example, allows white space there.
pub fn assert_no_other_length(good: &[u8], padding: &[u8], accepts: impl Fn(&[u8]) -> bool) {
    let shown = String::from_utf8_lossy(good);
    assert!(accepts(good), "{shown} is refused");
    for end in 0..good.len() {
        assert!(!accepts(&good[..end]), "the first {end} bytes of {shown} are accepted");
    }
    for byte in u8::MIN..=u8::MAX {
        let longer = [good, &[byte]].concat();
        assert_eq!(accepts(&longer), padding.contains(&byte), "{shown} followed by {byte:#04x}");
    }
}

/// Makes a check of bytes of a parser of text: bytes that are not UTF-8 are refused.
pub fn text<T, E>(parse: impl Fn(&str) -> Result<T, E>) -> impl Fn(&[u8]) -> bool {
    move |bytes| str::from_utf8(bytes).is_ok_and(|text| parse(text).is_ok())
}
