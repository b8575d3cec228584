//! Whole seconds since the epoch, and their text form on the wire.

use std::{fmt, str::FromStr};

use time::{
    OffsetDateTime, PrimitiveDateTime, format_description::StaticFormatDescription, macros::format_description,
};

/// `YYYY-MM-DDTHH:MM:SSZ`, a profile of RFC 3339 §5.6: UTC, one-second resolution, 20 bytes.
const FORMAT: StaticFormatDescription = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// Whole seconds since 1970-01-01T00:00:00Z, leap seconds not counted; at most [`UnixSeconds::MAX`].
///
/// The text form is `YYYY-MM-DDTHH:MM:SSZ`; parsing accepts exactly what [`Display`](fmt::Display) writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(u64);

impl UnixSeconds {
    /// 9999-12-31T23:59:59Z, the last second whose year has four digits.
    pub const MAX: Self = Self(253_402_300_799);

    /// Takes `seconds` since the epoch. A time later than [`UnixSeconds::MAX`] becomes that.
    #[must_use]
    pub const fn new(seconds: u64) -> Self {
        if seconds > Self::MAX.0 { Self::MAX } else { Self(seconds) }
    }

    /// Returns the seconds since the epoch.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the seconds between the two, whichever is earlier.
    #[must_use]
    pub const fn abs_diff(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }

    /// Returns the time `seconds` later, at most [`UnixSeconds::MAX`].
    #[must_use]
    pub const fn saturating_add(self, seconds: u64) -> Self {
        Self::new(self.0.saturating_add(seconds))
    }

    /// Returns the time `seconds` earlier, at least the epoch.
    #[must_use]
    pub const fn saturating_sub(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0).map_err(|_| fmt::Error)?;
        let at = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| fmt::Error)?;
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        )
    }
}

impl FromStr for UnixSeconds {
    type Err = TimestampError;

    /// Parses `YYYY-MM-DDTHH:MM:SSZ`: a date of the calendar from 1970 on, without leap seconds, in this spelling only.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let at = PrimitiveDateTime::parse(text, FORMAT).map_err(|_| TimestampError)?;
        let seconds = u64::try_from(at.assume_utc().unix_timestamp()).map_err(|_| TimestampError)?;
        let seconds = Self::new(seconds);
        // The parser of `time` accepts other spellings of the same second; the protocol has one.
        if seconds.to_string() == text { Ok(seconds) } else { Err(TimestampError) }
    }
}

/// The text is not a time written as `YYYY-MM-DDTHH:MM:SSZ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UTC time of the form YYYY-MM-DDTHH:MM:SSZ")]
pub struct TimestampError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn seconds_and_text_correspond() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_750_000_000, "2025-06-15T15:06:40Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(UnixSeconds::new(seconds).to_string(), text);
            assert_eq!(text.parse(), Ok(UnixSeconds::new(seconds)), "{text}");
        }
    }

    #[test]
    fn another_spelling_is_refused() {
        for text in [
            "",
            "2025-06-15T15:06:40",
            "2025-06-15T15:06:40z",
            "2025-06-15t15:06:40Z",
            "2025-06-15 15:06:40Z",
            "2025-06-15T15:06:40+00:00",
            "2025-06-15T15:06:40.0Z",
            "2025-06-15T15:06Z",
            "2025-6-15T15:06:40Z",
            "+2025-06-15T15:06:40Z",
            "-2025-06-15T15:06:40Z",
            "12025-06-15T15:06:40Z",
            "20250615T150640Z",
            " 2025-06-15T15:06:40Z",
            "2025-06-15T15:06:40Z ",
            "2025-06-15T15:06:40Z\0",
            "2025-06-15T15:06:4٠Z",
            "２025-06-15T15:06Z",
            "1750000000",
        ] {
            assert_eq!(text.parse::<UnixSeconds>(), Err(TimestampError), "{text}");
        }
    }

    #[test]
    fn a_date_outside_the_calendar_is_refused() {
        for text in [
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "2025-00-15T15:06:40Z",
            "2025-13-15T15:06:40Z",
            "2025-06-00T15:06:40Z",
            "2025-06-31T15:06:40Z",
            "2025-02-29T15:06:40Z",
            "2100-02-29T15:06:40Z",
            "2025-06-15T24:00:00Z",
            "2025-06-15T15:60:40Z",
            "2016-12-31T23:59:60Z",
            "2025-06-15T15:06:61Z",
        ] {
            assert_eq!(text.parse::<UnixSeconds>(), Err(TimestampError), "{text}");
        }
    }

    #[test]
    fn arithmetic_stays_within_the_range() {
        let epoch = UnixSeconds::new(0);
        assert_eq!(UnixSeconds::new(u64::MAX), UnixSeconds::MAX);
        assert_eq!(UnixSeconds::MAX.saturating_add(1), UnixSeconds::MAX);
        assert_eq!(UnixSeconds::new(5).saturating_add(u64::MAX), UnixSeconds::MAX);
        assert_eq!(UnixSeconds::new(5).saturating_add(6).get(), 11);
        assert_eq!(epoch.saturating_sub(1), epoch);
        assert_eq!(UnixSeconds::new(5).saturating_sub(3).get(), 2);
        assert_eq!(UnixSeconds::new(5).abs_diff(UnixSeconds::new(8)), 3);
        assert_eq!(UnixSeconds::new(8).abs_diff(UnixSeconds::new(5)), 3);
    }

    proptest! {
        #[test]
        fn every_second_survives_its_text(seconds in 0..=UnixSeconds::MAX.get()) {
            let text = UnixSeconds::new(seconds).to_string();
            prop_assert_eq!(text.len(), 20);
            prop_assert_eq!(text.parse(), Ok(UnixSeconds::new(seconds)));
        }

        #[test]
        fn a_text_that_parses_is_written_unchanged(text in "[0-9]{3,5}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z") {
            if let Ok(seconds) = text.parse::<UnixSeconds>() {
                prop_assert_eq!(seconds.to_string(), text);
            }
        }
    }
}
