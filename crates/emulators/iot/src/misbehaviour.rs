//! The misbehaviour of the registry on demand, beyond that of a proxy in front of it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::record::PrincipalType;
use crate::refusal::{Kind, Refusal};

/// The time until a detachment shows in lists and to DeleteCertificate, DeleteThing and DeletePolicy.
///
/// The evaluation of policies sees it at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Propagation {
    /// At once.
    #[default]
    Immediate,
    /// After so many further calls of any operation.
    Calls(u64),
    /// After so much time of the registry's clock.
    Time(Duration),
}

/// The calls a second that operations answer; others are not limited.
///
/// An operation that rested for a second answers that many calls at once. The rest is a ThrottlingException.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttle(BTreeMap<String, u32>);

impl Throttle {
    /// Limits these operations, such as `("CreateThing", 100)`.
    pub fn new<'a>(rates: impl IntoIterator<Item = (&'a str, u32)>) -> Self {
        Self(rates.into_iter().map(|(operation, rate)| (operation.to_owned(), rate)).collect())
    }

    /// The default quotas of an AWS account (Service Quotas, `iotcore`).
    #[must_use]
    pub fn quotas() -> Self {
        const QUOTAS: [(u32, &[&str]); 5] = [
            (
                10,
                &[
                    "CreateKeysAndCertificate",
                    "CreatePolicy",
                    "DeleteCertificate",
                    "DescribeCertificate",
                    "GetPolicy",
                    "ListCertificates",
                    "ListPrincipalThings",
                    "ListTargetsForPolicy",
                    "ListThings",
                    "RegisterCertificateWithoutCA",
                    "UpdateCertificate",
                ],
            ),
            (15, &["AttachPolicy", "CreateCertificateFromCsr", "DetachPolicy", "ListAttachedPolicies"]),
            (20, &["ListThingPrincipals"]),
            (100, &["AttachThingPrincipal", "CreateThing", "DeleteThing", "DetachThingPrincipal", "UpdateThing"]),
            (350, &["DescribeThing"]),
        ];
        Self::new(QUOTAS.into_iter().flat_map(|(rate, names)| names.iter().map(move |name| (*name, rate))))
    }
}

/// Something that a certificate was detached from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attached {
    Thing(String, PrincipalType),
    Policy(String),
}

/// A detachment that does not show yet.
#[derive(Debug, Clone)]
pub(crate) struct Lingering {
    pub(crate) certificate_id: String,
    pub(crate) attached: Attached,
    /// The last call that does not see the detachment.
    until_call: u64,
    /// The time at which it shows.
    until: u64,
}

/// The calls that an operation may still make.
#[derive(Debug)]
struct Bucket {
    /// Thousandths of a call.
    tokens: u64,
    filled: u64,
}

/// The misbehaviour and the counters behind it.
#[derive(Debug, Default)]
pub(crate) struct Misbehaviour {
    propagation: Propagation,
    lingering: Vec<Lingering>,
    calls: u64,
    throttle: Option<Throttle>,
    buckets: HashMap<String, Bucket>,
}

impl Misbehaviour {
    pub(crate) const fn set_propagation(&mut self, propagation: Propagation) {
        self.propagation = propagation;
    }

    pub(crate) fn set_throttle(&mut self, throttle: Option<Throttle>) {
        self.throttle = throttle;
        self.buckets.clear();
    }

    /// Counts a call that begins at `now`, in milliseconds.
    pub(crate) fn begin(&mut self, operation: &str, now: u64) -> Result<(), Refusal> {
        self.calls += 1;
        let calls = self.calls;
        self.lingering.retain(|lingering| lingering.until_call >= calls || lingering.until > now);
        let rate = self.throttle.as_ref().and_then(|throttle| throttle.0.get(operation).copied());
        let Some(full) = rate.map(|rate| u64::from(rate) * 1000) else {
            return Ok(());
        };
        let bucket = self.buckets.entry(operation.to_owned()).or_insert(Bucket { tokens: full, filled: now });
        let gained = now.saturating_sub(bucket.filled).saturating_mul(full / 1000);
        bucket.tokens = bucket.tokens.saturating_add(gained).min(full);
        bucket.filled = now;
        match bucket.tokens.checked_sub(1000) {
            Some(left) => {
                bucket.tokens = left;
                Ok(())
            }
            None => Err(Refusal::new(Kind::Throttling, "Rate exceeded")),
        }
    }

    /// Keeps a detachment from view, as the propagation says.
    pub(crate) fn detached(&mut self, certificate_id: String, attached: Attached, now: u64) {
        let (until_call, until) = match self.propagation {
            Propagation::Immediate => return,
            Propagation::Calls(calls) => (self.calls.saturating_add(calls), 0),
            Propagation::Time(time) => (0, now.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))),
        };
        self.lingering.push(Lingering { certificate_id, attached, until_call, until });
    }

    pub(crate) fn lingering(&self) -> &[Lingering] {
        &self.lingering
    }
}
