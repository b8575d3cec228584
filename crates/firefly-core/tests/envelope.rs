//! The FFCE container at its edges; the firmware's own envelopes are in `device_vectors.rs`.

use firefly_core::envelope::{Envelope, EnvelopeError, HEADER_LENGTH, MAX_LENGTH, MAX_PLAINTEXT_LENGTH};
use proptest::prelude::*;

const NONCE: [u8; 12] = *b"nonce-nonce-";
const TAG: [u8; 16] = *b"tag-tag-tag-tag-";

fn envelope(ciphertext_length: usize) -> Result<Vec<u8>, EnvelopeError> {
    Envelope::write(&NONCE, &TAG, &vec![0xA5; ciphertext_length])
}

#[test]
fn fields_lie_where_the_format_puts_them() {
    let bytes = Envelope::write(&NONCE, &TAG, b"abc").unwrap();
    assert_eq!(bytes, b"FFCE\x01nonce-nonce-\x03\0\0\0tag-tag-tag-tag-abc");
    let envelope = Envelope::parse(&bytes).unwrap();
    assert_eq!(envelope.as_bytes(), bytes);
    assert_eq!(envelope.nonce(), &NONCE);
    assert_eq!(envelope.tag(), &TAG);
    assert_eq!(envelope.ciphertext(), b"abc");
}

#[test]
fn every_truncation_is_refused() {
    let bytes = envelope(3).unwrap();
    assert_eq!(Envelope::parse(&[]), Err(EnvelopeError::Empty));
    for length in 1..HEADER_LENGTH {
        assert_eq!(Envelope::parse(&bytes[..length]), Err(EnvelopeError::Truncated { length }));
    }
    for actual in 0..3 {
        assert_eq!(
            Envelope::parse(&bytes[..HEADER_LENGTH + actual]),
            Err(EnvelopeError::LengthMismatch { declared: 3, actual })
        );
    }
}

#[test]
fn one_more_byte_is_refused() {
    for length in [0, 1, 37] {
        let mut bytes = envelope(length).unwrap();
        bytes.push(0);
        assert_eq!(
            Envelope::parse(&bytes),
            Err(EnvelopeError::LengthMismatch { declared: u32::try_from(length).unwrap(), actual: length + 1 })
        );
    }
}

#[test]
fn an_envelope_without_ciphertext_is_well_formed() {
    let bytes = envelope(0).unwrap();
    assert_eq!(bytes.len(), HEADER_LENGTH);
    assert_eq!(Envelope::parse(&bytes).unwrap().ciphertext(), b"");
}

#[test]
fn the_first_wrong_field_is_named() {
    let good = envelope(3).unwrap();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    for at in 0..4 {
        assert_eq!(Envelope::parse(&with(at, b'f')), Err(EnvelopeError::BadMagic));
    }
    for version in [0, 2, 255] {
        assert_eq!(Envelope::parse(&with(4, version)), Err(EnvelopeError::UnsupportedVersion { version }));
    }
    for (at, declared) in [(17, 4), (18, 0x0403), (19, 0x0004_0003), (20, 0x0400_0003)] {
        assert_eq!(Envelope::parse(&with(at, 4)), Err(EnvelopeError::LengthMismatch { declared, actual: 3 }));
    }
    // Text that is not an envelope is told from an envelope that is cut short.
    assert_eq!(Envelope::parse(b"{\"a\":1}"), Err(EnvelopeError::BadMagic));
}

#[test]
fn the_largest_envelope_is_accepted_and_a_larger_one_is_refused() {
    let largest = envelope(MAX_PLAINTEXT_LENGTH).unwrap();
    assert_eq!(largest.len(), MAX_LENGTH);
    assert_eq!(MAX_LENGTH, 524_325);
    assert!(Envelope::parse(&largest).is_ok());

    let length = MAX_LENGTH + 1;
    assert_eq!(envelope(MAX_PLAINTEXT_LENGTH + 1), Err(EnvelopeError::TooLarge { length }));
    let mut well_formed_but_larger = largest;
    well_formed_but_larger.push(0xA5);
    well_formed_but_larger[17..21].copy_from_slice(&524_289_u32.to_le_bytes());
    assert_eq!(Envelope::parse(&well_formed_but_larger), Err(EnvelopeError::TooLarge { length }));
}

#[test]
fn a_broken_body_longer_than_the_largest_plaintext_is_too_large() {
    let zeros = vec![0; MAX_LENGTH + 1];
    for length in [MAX_PLAINTEXT_LENGTH + 1, MAX_LENGTH, MAX_LENGTH + 1] {
        assert_eq!(Envelope::parse(&zeros[..length]), Err(EnvelopeError::TooLarge { length }));
    }
    assert_eq!(Envelope::parse(&zeros[..MAX_PLAINTEXT_LENGTH]), Err(EnvelopeError::BadMagic));

    // A good envelope between the two limits that loses a byte is broken, and too large for a broken one.
    let good = envelope(MAX_PLAINTEXT_LENGTH).unwrap();
    let length = MAX_LENGTH - 1;
    assert_eq!(Envelope::parse(&good[..length]), Err(EnvelopeError::TooLarge { length }));
    assert_eq!(
        Envelope::parse(&good[..MAX_PLAINTEXT_LENGTH]),
        Err(EnvelopeError::LengthMismatch { declared: 524_288, actual: MAX_PLAINTEXT_LENGTH - HEADER_LENGTH })
    );
}

/// The text is true of each length that is too large, below and above the length of the largest envelope.
#[test]
fn a_body_that_is_too_large_is_told_both_limits() {
    let text = |bytes: &[u8]| Envelope::parse(bytes).unwrap_err().to_string();
    for (length, expected) in [
        (524_289, "524289 bytes are more than 524288 and not one complete, well-formed envelope of at most 524325"),
        (524_324, "524324 bytes are more than 524288 and not one complete, well-formed envelope of at most 524325"),
        (524_325, "524325 bytes are more than 524288 and not one complete, well-formed envelope of at most 524325"),
        (524_326, "524326 bytes are more than 524288 and not one complete, well-formed envelope of at most 524325"),
        (600_000, "600000 bytes are more than 524288 and not one complete, well-formed envelope of at most 524325"),
    ] {
        let mut bytes = vec![0; length];
        assert_eq!(text(&bytes), expected);
        // The same with the header of the largest envelope, which fits none of these lengths.
        bytes[..HEADER_LENGTH].copy_from_slice(&envelope(MAX_PLAINTEXT_LENGTH).unwrap()[..HEADER_LENGTH]);
        bytes[4] = if length == MAX_LENGTH { 2 } else { 1 };
        assert_eq!(text(&bytes), expected);
    }
}

#[test]
fn debug_shows_no_content() {
    let bytes = envelope(3).unwrap();
    let envelope = Envelope::parse(&bytes).unwrap();
    assert_eq!(format!("{envelope:?}"), "Envelope(40 bytes)");
}

proptest! {
    #[test]
    fn parts_survive_writing(nonce: [u8; 12], tag: [u8; 16], ciphertext: Vec<u8>) {
        let bytes = Envelope::write(&nonce, &tag, &ciphertext).unwrap();
        let envelope = Envelope::parse(&bytes).unwrap();
        prop_assert_eq!(envelope.nonce(), &nonce);
        prop_assert_eq!(envelope.tag(), &tag);
        prop_assert_eq!(envelope.ciphertext(), &ciphertext);
    }

    #[test]
    fn an_envelope_that_parses_is_written_unchanged(prefix in 0..HEADER_LENGTH, tail: Vec<u8>) {
        let mut bytes = envelope(0).unwrap();
        bytes.truncate(prefix);
        bytes.extend(tail);
        if let Ok(parsed) = Envelope::parse(&bytes) {
            let written = Envelope::write(parsed.nonce(), parsed.tag(), parsed.ciphertext());
            prop_assert_eq!(written.as_deref(), Ok(bytes.as_slice()));
        }
    }
}
