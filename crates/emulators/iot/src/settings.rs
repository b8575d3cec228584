//! The settings of a registry.

use std::time::SystemTime;

use crate::authority::Authority;
use crate::clock::Clock;

/// The settings of a registry.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) clock: Clock,
    pub(crate) authority: Option<Authority>,
}

impl Settings {
    /// A registry of this account (12 digits) and region, by the system's clock, with an authority of its own.
    #[must_use]
    pub fn new(account: &str, region: &str) -> Self {
        Self { account: account.to_owned(), region: region.to_owned(), clock: Clock::default(), authority: None }
    }

    /// Dates everything by another clock than the system's.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { clock: Clock::new(clock), ..self }
    }

    /// Signs certificates by this authority. One of the registry's own is not made.
    #[must_use]
    pub fn with_authority(self, authority: Authority) -> Self {
        Self { authority: Some(authority), ..self }
    }
}
