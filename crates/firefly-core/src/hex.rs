//! Bytes as hex digits.

use std::fmt;

/// Returns the `N` bytes that `text` writes as exactly `2 * N` hex digits of any case.
#[must_use]
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// Returns `bytes` as lower-case hex digits, two per byte.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    // Writing to a string does not fail.
    let _ = write_lower(&mut digits, bytes);
    digits
}

/// Writes `bytes` as lower-case hex digits.
pub(crate) fn write_lower(f: &mut impl fmt::Write, bytes: &[u8]) -> fmt::Result {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).try_for_each(|digit| f.write_char(DIGITS[usize::from(digit)]))
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
