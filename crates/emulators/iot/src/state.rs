//! The state of the registry in memory, with its indexes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::policy::Policy;
use crate::record::{Certificate, Change, PolicyRecord, Thing};

/// Certificate ids by the name of the Thing or the policy that is attached to them.
type Index = HashMap<String, BTreeSet<String>>;

/// A policy, and the parsed document of its default version.
#[derive(Debug)]
pub(crate) struct HeldPolicy {
    pub(crate) record: PolicyRecord,
    /// `None` if the stored document is not a policy.
    pub(crate) default: Option<Policy>,
}

/// All entities.
#[derive(Debug, Default)]
pub(crate) struct State {
    things: BTreeMap<String, Thing>,
    certificates: HashMap<String, Certificate>,
    by_number: BTreeMap<u64, String>,
    last_number: u64,
    policies: BTreeMap<String, HeldPolicy>,
    of_thing: Index,
    of_policy: Index,
}

impl State {
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Thing(thing) => drop(self.things.insert(thing.name.clone(), thing)),
            Change::ThingDeleted(name) => drop(self.things.remove(&name)),
            Change::Certificate(certificate) => self.put_certificate(*certificate),
            Change::CertificateDeleted(id) => self.take_certificate(&id),
            Change::Policy(record) => {
                let document = record.versions.get(&record.default_version).map(|version| version.document.as_str());
                let default = document.and_then(|document| Policy::parse(document).ok());
                self.policies.insert(record.name.clone(), HeldPolicy { record, default });
            }
            Change::PolicyDeleted(name) => drop(self.policies.remove(&name)),
        }
    }

    fn put_certificate(&mut self, certificate: Certificate) {
        self.take_certificate(&certificate.id);
        self.last_number = self.last_number.max(certificate.number);
        let id = &certificate.id;
        self.by_number.insert(certificate.number, id.clone());
        for thing in certificate.things.keys() {
            self.of_thing.entry(thing.clone()).or_default().insert(id.clone());
        }
        for policy in &certificate.policies {
            self.of_policy.entry(policy.clone()).or_default().insert(id.clone());
        }
        self.certificates.insert(id.clone(), certificate);
    }

    fn take_certificate(&mut self, id: &str) {
        let Some(certificate) = self.certificates.remove(id) else {
            return;
        };
        self.by_number.remove(&certificate.number);
        certificate.things.keys().for_each(|thing| remove(&mut self.of_thing, thing, id));
        certificate.policies.iter().for_each(|policy| remove(&mut self.of_policy, policy, id));
    }

    pub(crate) fn thing(&self, name: &str) -> Option<&Thing> {
        self.things.get(name)
    }

    pub(crate) fn certificate(&self, id: &str) -> Option<&Certificate> {
        self.certificates.get(id)
    }

    pub(crate) fn policy(&self, name: &str) -> Option<&HeldPolicy> {
        self.policies.get(name)
    }

    /// All Things by name.
    pub(crate) const fn things(&self) -> &BTreeMap<String, Thing> {
        &self.things
    }

    /// All policies by name.
    pub(crate) const fn policies(&self) -> &BTreeMap<String, HeldPolicy> {
        &self.policies
    }

    /// All certificates with their number, oldest first.
    pub(crate) fn certificates(&self) -> impl DoubleEndedIterator<Item = &Certificate> {
        self.by_number.values().filter_map(|id| self.certificates.get(id))
    }

    /// The number of the next certificate.
    pub(crate) const fn next_number(&self) -> u64 {
        self.last_number.saturating_add(1)
    }

    /// The certificates that are attached to a Thing.
    pub(crate) fn of_thing(&self, name: &str) -> impl Iterator<Item = &str> {
        self.of_thing.get(name).into_iter().flatten().map(String::as_str)
    }

    /// The certificates that a policy is attached to.
    pub(crate) fn of_policy(&self, name: &str) -> impl Iterator<Item = &str> {
        self.of_policy.get(name).into_iter().flatten().map(String::as_str)
    }

    /// The changes that make this state of an empty one.
    pub(crate) fn changes(&self) -> impl Iterator<Item = Change> {
        let things = self.things.values().cloned().map(Change::Thing);
        let policies = self.policies.values().map(|policy| Change::Policy(policy.record.clone()));
        let certificates = self.certificates().cloned().map(|certificate| Change::Certificate(Box::new(certificate)));
        things.chain(policies).chain(certificates)
    }
}

fn remove(index: &mut Index, name: &str, id: &str) {
    if let Some(ids) = index.get_mut(name) {
        ids.remove(id);
        if ids.is_empty() {
            index.remove(name);
        }
    }
}
