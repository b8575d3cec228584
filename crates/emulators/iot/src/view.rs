//! The view of the state that one call has: with the detachments that do not show yet.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::misbehaviour::{Attached, Lingering};
use crate::place::Place;
use crate::record::{Certificate, Change, PrincipalType, Thing};
use crate::refusal::Refusal;
use crate::state::{HeldPolicy, State};

/// The end of an operation. Its answer may hold a private key.
pub(crate) struct Done {
    /// The change that is to be made before the answer.
    pub(crate) change: Option<Change>,
    /// The answer's body. It is empty for `null`.
    pub(crate) answer: Value,
    /// The certificate's id and the thing or policy that it was detached from.
    pub(crate) detached: Option<(String, Attached)>,
}

impl Done {
    /// An answer, and no change.
    pub(crate) const fn read(answer: Value) -> Self {
        Self { change: None, answer, detached: None }
    }

    /// A change and its answer.
    pub(crate) const fn changed(change: Change, answer: Value) -> Self {
        Self { change: Some(change), answer, detached: None }
    }

    /// The answer `{}`, and no change.
    pub(crate) fn nothing() -> Self {
        Self::read(json!({}))
    }
}

/// The registry at one moment.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) state: &'a State,
    pub(crate) lingering: &'a [Lingering],
    pub(crate) place: &'a Place,
    /// Milliseconds since the epoch.
    pub(crate) now: u64,
    pub(crate) data_endpoint: &'a str,
}

impl<'a> View<'a> {
    pub(crate) fn thing(&self, name: &str) -> Result<&'a Thing, Refusal> {
        self.state.thing(name).ok_or_else(|| Refusal::not_found(format!("Thing {name} cannot be found.")))
    }

    pub(crate) fn certificate(&self, id: &str) -> Result<&'a Certificate, Refusal> {
        let absent = || Refusal::not_found(format!("The certificate given in the request does not exist: {id}"));
        self.state.certificate(id).ok_or_else(absent)
    }

    pub(crate) fn policy(&self, name: &str) -> Result<&'a HeldPolicy, Refusal> {
        self.state.policy(name).ok_or_else(|| Refusal::not_found(format!("Policy not found (name={name})")))
    }

    /// The Things that a certificate shows as attached to.
    pub(crate) fn things_of(&self, certificate: &Certificate) -> BTreeMap<String, PrincipalType> {
        let mut things = certificate.things.clone();
        for lingering in self.lingering.iter().filter(|lingering| lingering.certificate_id == certificate.id) {
            if let Attached::Thing(name, kind) = &lingering.attached {
                things.entry(name.clone()).or_insert(*kind);
            }
        }
        things
    }

    /// The policies that a certificate shows as attached.
    pub(crate) fn policies_of(&self, certificate: &Certificate) -> BTreeSet<String> {
        let mut policies = certificate.policies.clone();
        for lingering in self.lingering.iter().filter(|lingering| lingering.certificate_id == certificate.id) {
            if let Attached::Policy(name) = &lingering.attached {
                policies.insert(name.clone());
            }
        }
        policies
    }

    /// The certificates that show as attached to a Thing.
    pub(crate) fn certificates_of_thing(&self, name: &str) -> BTreeMap<String, PrincipalType> {
        let is_it = |attached: &Attached| matches!(attached, Attached::Thing(other, _) if other == name);
        let ids = self.state.of_thing(name).chain(self.still(is_it));
        let certificates = ids.filter_map(|id| self.state.certificate(id));
        certificates.filter_map(|it| Some((it.id.clone(), *self.things_of(it).get(name)?))).collect()
    }

    /// The certificates that a policy shows as attached to.
    pub(crate) fn certificates_of_policy(&self, name: &str) -> BTreeSet<String> {
        let is_it = |attached: &Attached| matches!(attached, Attached::Policy(other) if other == name);
        let ids = self.state.of_policy(name).chain(self.still(is_it));
        ids.filter(|id| self.state.certificate(id).is_some()).map(str::to_owned).collect()
    }

    /// The certificates with a detachment that does not show yet.
    fn still(&self, is_it: impl Fn(&Attached) -> bool) -> impl Iterator<Item = &str> {
        let lingering = self.lingering.iter().filter(move |lingering| is_it(&lingering.attached));
        lingering.map(|lingering| lingering.certificate_id.as_str())
    }
}

/// A time as the API writes it: seconds since the epoch, with their fraction.
pub(crate) fn timestamp(milliseconds: u64) -> Value {
    // A number of milliseconds is exact in a double for 285,000 years.
    #[expect(clippy::cast_precision_loss, reason = "it is below 2^53")]
    let seconds = milliseconds as f64 / 1000.0;
    json!(seconds)
}
