//! The record of one Thing: all that is known of it. Never a private key.

use std::{collections::BTreeMap, fmt, str::FromStr};

use super::{
    certificate::{CertificateId, PublicKeyDigest},
    name::{PolicyName, Scope, ThingName},
};
use crate::time::UnixSeconds;

/// The seconds of a lease: more than the 20 s after which Lambda ends a function.
pub const LEASE_SECONDS: u64 = 45;

/// The milliseconds of a run after which no step begins that could last longer, of the function's 20 s.
pub const LAST_STEP_MILLISECONDS: u64 = 18_000;

/// The milliseconds of a run until which a throttled step is repeated in place, with full jitter.
pub const LAST_REPETITION_MILLISECONDS: u64 = 14_000;

/// The most certificates of a Thing that are not deleted, those without a known id among them.
pub const MAX_CERTIFICATES: usize = 4;

/// The most certificates that are made for a Thing on one UTC day.
pub const ISSUES_PER_DAY: u64 = 10;

/// The age from which a certificate without a known id is searched for, in seconds.
pub const PENDING_SECONDS: u64 = 60;

/// The seconds between two sweeps: 15 minutes.
pub const SWEEP_SECONDS: u64 = 900;

const SECONDS_PER_DAY: u64 = 86_400;

/// The 16 random bytes of one run: its lease, while they stand in the row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease([u8; Self::LENGTH]);

impl Lease {
    /// The bytes of a lease.
    pub const LENGTH: usize = 16;

    /// Takes random bytes as a lease.
    #[must_use]
    pub const fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

/// Hides the bytes: they are of no use to a reader.
impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease(..)")
    }
}

/// Defines an enum whose variants are stored as words.
macro_rules! stored_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Returns the word that is stored.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl FromStr for $name {
            type Err = WordError;

            fn from_str(text: &str) -> Result<Self, WordError> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(WordError),
                }
            }
        }
    };
}

stored_words! {
    /// The kind of device that a Thing is for.
    Owner {
        /// A balena device.
        Balena = "balena",
        /// A FireFly controller.
        Firefly = "firefly",
    }
}

stored_words! {
    /// The state of a Thing.
    State {
        /// An identity is being made, or its making failed.
        Provisioning = "provisioning",
        /// One certificate is delivered.
        Done = "done",
        /// Everything is being taken back; the device may come back.
        Deleting = "deleting",
        /// Like [`State::Deleting`], but the device may not come back.
        Blocked = "blocked",
    }
}

stored_words! {
    /// The state of a certificate, as the row has it.
    CertificateState {
        /// It has been made, and may have been activated.
        Made = "made",
        /// It is active, and the device's variables are being written.
        Delivering = "delivering",
        /// It is active, and the device has it.
        Delivered = "delivered",
        /// It is to be deleted. It was seen inactive when it became so.
        Due = "due",
    }
}

/// The text is not a word of the stored form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a known word")]
pub struct WordError;

/// A certificate of a Thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its state.
    pub state: CertificateState,
    /// The time at which it entered the row.
    pub created: UnixSeconds,
    /// The digest of its public key; `None` for one that was found at the Thing.
    pub key: Option<PublicKeyDigest>,
}

/// A certificate that was asked for and whose id is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The digest of its public key.
    pub key: PublicKeyDigest,
    /// The time at which its run began.
    pub since: UnixSeconds,
}

/// The certificates that were asked for on one UTC day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Issues {
    /// The day, counted from 1970-01-01.
    pub day: u64,
    /// The number of certificates.
    pub count: u64,
}

/// The record of one Thing.
///
/// A write replaces it as a whole, on a [`Condition`](super::step::Condition) on the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The Thing.
    pub thing: ThingName,
    /// Its state.
    pub state: State,
    /// The lease of the last run.
    pub lease: Lease,
    /// The end of the lease; 0 if it was released.
    pub lease_until: UnixSeconds,
    /// The certificates that are not known to be deleted.
    pub certificates: BTreeMap<CertificateId, Certificate>,
    /// The certificates without a known id, by the lease of the run that asked for each.
    pub pending: BTreeMap<Lease, Pending>,
    /// The certificate that was delivered last, in PEM.
    pub certificate_pem: Option<String>,
    /// The place of the device's variables.
    pub scope: Option<Scope>,
    /// The policy of the last certificate that was made.
    pub policy: Option<PolicyName>,
    /// The certificates of the last day on which there were any.
    pub issues: Issues,
    /// The time of the last write.
    pub updated: UnixSeconds,
    /// The time from which the sweep looks at the row. Only a hint.
    pub due: Option<UnixSeconds>,
}

impl Row {
    /// The row of a Thing that has nothing yet.
    pub(super) const fn new(thing: ThingName, state: State, lease: Lease, now: UnixSeconds) -> Self {
        Self {
            thing,
            state,
            lease,
            lease_until: UnixSeconds::new(0),
            certificates: BTreeMap::new(),
            pending: BTreeMap::new(),
            certificate_pem: None,
            scope: None,
            policy: None,
            issues: Issues { day: 0, count: 0 },
            updated: now,
            due: None,
        }
    }

    /// Returns the kind of device that the Thing is for.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        match self.thing {
            ThingName::Balena(_) => Owner::Balena,
            ThingName::Firefly(_) => Owner::Firefly,
        }
    }

    /// Returns `true` while a run may be at work on the row.
    #[must_use]
    pub fn is_leased(&self, now: UnixSeconds) -> bool {
        self.lease_until >= now
    }

    /// Returns the certificate that the device has or is being given.
    #[must_use]
    pub fn active(&self) -> Option<CertificateId> {
        let of = |state| self.certificates.iter().find(|(_, of)| of.state == state).map(|(id, _)| *id);
        of(CertificateState::Delivered).or_else(|| of(CertificateState::Delivering))
    }

    /// Returns the certificate of a device that is provisioned, `None` in any other state.
    #[must_use]
    pub fn identity(&self) -> Option<(CertificateId, &str)> {
        if self.state == State::Done { Some((self.active()?, self.certificate_pem.as_deref()?)) } else { None }
    }

    /// Returns `true` if the row names no certificate, with or without a known id.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.certificates.is_empty() && self.pending.is_empty()
    }

    /// Returns the time at which the limit of the day no longer needs the row.
    #[must_use]
    pub const fn day_ends(&self) -> UnixSeconds {
        if self.issues.count == 0 {
            UnixSeconds::new(0)
        } else {
            UnixSeconds::new(self.issues.day.saturating_add(1).saturating_mul(SECONDS_PER_DAY))
        }
    }

    /// Takes the row for `lease`. Nobody else takes it before `earliest_end`.
    pub(super) fn lease_to(&mut self, lease: Lease, earliest_end: UnixSeconds, now: UnixSeconds) {
        self.lease = lease;
        self.lease_until = now.saturating_add(LEASE_SECONDS).max(earliest_end);
        self.due = Some(self.lease_until);
        self.updated = now;
    }

    /// Counts a certificate that is about to be asked for.
    pub(super) fn issue(&mut self, key: PublicKeyDigest, now: UnixSeconds) -> Result<(), TooManyCertificates> {
        if self.certificates.len() + self.pending.len() >= MAX_CERTIFICATES {
            return Err(TooManyCertificates { retry_after_seconds: SWEEP_SECONDS });
        }
        // A day that is tomorrow's is another host's today.
        let today = now.get() / SECONDS_PER_DAY;
        if self.issues.day != today && self.issues.day != today + 1 {
            self.issues = Issues { day: today, count: 0 };
        }
        if self.issues.count >= ISSUES_PER_DAY {
            let retry_after_seconds = self.day_ends().get().saturating_sub(now.get()).max(1);
            return Err(TooManyCertificates { retry_after_seconds });
        }
        self.issues.count += 1;
        self.pending.insert(self.lease, Pending { key, since: now });
        Ok(())
    }

    /// Takes back [`Row::issue`]: no certificate was made.
    pub(super) fn unissue(&mut self) {
        if self.pending.remove(&self.lease).is_some() {
            self.issues.count = self.issues.count.saturating_sub(1);
        }
    }

    /// Names the certificate that this lease's run has made.
    pub(super) fn record(&mut self, id: CertificateId, now: UnixSeconds) {
        let key = self.pending.remove(&self.lease).map(|pending| pending.key);
        self.certificates.insert(id, Certificate { state: CertificateState::Made, created: now, key });
    }

    /// Makes a certificate `due`, even one that the row did not name.
    pub(super) fn retire(&mut self, id: CertificateId, now: UnixSeconds) {
        let created = Certificate { state: CertificateState::Due, created: now, key: None };
        self.certificates.entry(id).or_insert(created).state = CertificateState::Due;
    }
}

/// A Thing has reached [`MAX_CERTIFICATES`] or [`ISSUES_PER_DAY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManyCertificates {
    pub(super) retry_after_seconds: u64,
}
