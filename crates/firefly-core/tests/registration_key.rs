//! Registration keys: drawn evenly, read strictly, good for a while.

use std::{collections::BTreeMap, convert::Infallible};

use firefly_core::{
    registration::{KEY_LIFETIME_SECONDS, RegistrationKey, RegistrationKeyError, is_live},
    time::UnixSeconds,
};
use rand::{SeedableRng, TryCryptoRng, TryRng, rngs::StdRng};

/// A generator that repeats these bytes in order.
struct Scripted<'a>(std::iter::Cycle<std::slice::Iter<'a, u8>>);

impl<'a> Scripted<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter().cycle())
    }
}

impl TryRng for Scripted<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for (byte, scripted) in bytes.iter_mut().zip(&mut self.0) {
            *byte = *scripted;
        }
        Ok(())
    }
}

impl TryCryptoRng for Scripted<'_> {}

#[test]
fn each_character_has_as_many_bytes_as_any_other() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let mut rng = Scripted::new(&every_byte);
    let mut drawn: BTreeMap<char, u32> = BTreeMap::new();
    // 42 keys are 252 characters: all bytes once, but for the four that are drawn again.
    for _ in 0..42 {
        for character in RegistrationKey::generate(&mut rng).as_str().chars() {
            *drawn.entry(character).or_default() += 1;
        }
    }
    let expected = ('A'..='Z').chain('0'..='9').map(|character| (character, 7));
    assert_eq!(drawn, expected.collect());
}

#[test]
fn a_byte_of_the_incomplete_multiple_is_drawn_again() {
    let bytes = [252, 0, 253, 25, 254, 26, 255, 255, 35, 251, 36];
    assert_eq!(RegistrationKey::generate(&mut Scripted::new(&bytes)).as_str(), "AZ099A");
}

#[test]
fn a_generated_key_parses() {
    let mut rng = StdRng::seed_from_u64(1);
    for _ in 0..1000 {
        let key = RegistrationKey::generate(&mut rng);
        assert_eq!(key.as_str().parse(), Ok(key));
    }
}

#[test]
fn only_six_characters_of_the_alphabet_are_a_key() {
    for text in ["ABCDEF", "012345", "Z9Z9Z9", "AAAAAA"] {
        let key: RegistrationKey = text.parse().unwrap();
        assert_eq!(key.as_str(), text);
    }
    for text in [
        "",
        "A",
        "ABCDE",
        "ABCDEFG",
        "abcdef",
        "ABCDEf",
        "ABC-EF",
        "ABCDE ",
        " BCDEF",
        "ABCDE\n",
        "ABCD\u{c9}",
        "ABCDE\u{ff21}",
        "\u{ff21}\u{ff22}",
        "ABC,DEF",
        "ABCDEF,ABCDEF",
    ] {
        assert_eq!(text.parse::<RegistrationKey>(), Err(RegistrationKeyError), "{text}");
    }
}

#[test]
fn a_key_expires_at_the_second_it_says() {
    let expires_at = UnixSeconds::new(1_750_000_000).saturating_add(KEY_LIFETIME_SECONDS);
    assert!(is_live(expires_at, UnixSeconds::new(1_750_001_799)));
    assert!(!is_live(expires_at, UnixSeconds::new(1_750_001_800)));
    assert!(!is_live(expires_at, UnixSeconds::new(1_750_001_801)));
}

#[test]
fn debug_hides_the_key() {
    let key: RegistrationKey = "ABCDEF".parse().unwrap();
    assert_eq!(format!("{key:?}"), "RegistrationKey(..)");
}
