//! The observations of one run.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    provisioning::{
        certificate::{CertificateId, CertificatePem},
        name::{PolicyName, Scope, ThingName},
        row::{Certificate, CertificateState, Lease, Row, State},
        step::{Answer, Condition, Failure, Report, Status, Step, Write},
        variables::{Variable, Variables},
    },
    time::UnixSeconds,
};

/// All that a run knows: the row, and what AWS and the variables were seen to be since the run began.
#[derive(Clone, Debug)]
pub struct Observed {
    pub(super) thing: ThingName,
    pub(super) lease: Lease,
    pub(super) row: Option<Row>,
    pub(super) hold: Hold,
    pub(super) facts: Facts,
    /// The first writes that were refused.
    pub(super) refusals: u8,
}

/// The run's hold on the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nothing is written yet.
    Free,
    /// The run has the lease.
    Held,
    /// Another run has taken the lease.
    Lost,
    /// The last write of the run was tried.
    Over,
}

/// The Thing as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    /// There is one, which differs from ours or is somebody else's.
    Exists,
    /// It has our attribute.
    Ours,
    /// It does not have our attribute.
    Anothers,
    /// There is none.
    Absent,
}

/// One certificate as it was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    pub(super) status: Option<Status>,
    pub(super) pem: Option<CertificatePem>,
    /// An activation was sent and not answered.
    pub(super) may_be_active: bool,
    pub(super) has_policy: bool,
    pub(super) is_on_thing: bool,
    pub(super) policies: Option<BTreeSet<PolicyName>>,
    pub(super) is_detached: bool,
    pub(super) is_elsewhere: Option<bool>,
    /// A step of its removal failed. The rest is for the sweep.
    pub(super) is_left: bool,
}

/// The observations and deeds of a run. All are forgotten when the first write is refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// The row's state before the first write.
    pub(super) before: Option<State>,
    /// The end of the lease that was taken over while it lived.
    pub(super) displaced: Option<UnixSeconds>,
    /// The first write counted a certificate.
    pub(super) is_issue: bool,
    /// The last step was a write under the lease.
    pub(super) is_fenced: bool,
    pub(super) thing: Option<Thing>,
    /// `DeleteThing` was tried.
    pub(super) is_thing_left: bool,
    pub(super) principals: Option<BTreeSet<CertificateId>>,
    pub(super) looks: BTreeMap<CertificateId, Look>,
    /// A certificate may have been made whose id is not known.
    pub(super) is_id_lost: bool,
    pub(super) made: Option<CertificatePem>,
    pub(super) is_recorded: bool,
    pub(super) variables: Option<(Scope, Variables)>,
    /// A variable was or may have been set.
    pub(super) has_set: bool,
    /// The variables were read after the last change.
    pub(super) is_read_back: bool,
    pub(super) deleted: BTreeSet<(Scope, Variable)>,
    /// A change of a variable that was not answered: deleted or set. It may still come.
    pub(super) unanswered: Option<(Variable, bool)>,
    /// The cleaning after a failed delivery failed, too.
    pub(super) is_cleaning_over: bool,
    pub(super) reported: BTreeSet<Report>,
    /// The first failure.
    pub(super) end: Option<Answer>,
}

impl Facts {
    pub(super) fn look(&mut self, id: CertificateId) -> &mut Look {
        self.looks.entry(id).or_default()
    }

    pub(super) fn status(&self, id: CertificateId) -> Option<Status> {
        self.looks.get(&id).and_then(|look| look.status)
    }

    /// Returns `true` if the certificate was seen in a status in which nobody connects with it.
    pub(super) fn is_inactive(&self, id: CertificateId) -> bool {
        matches!(self.status(id), Some(Status::Inactive | Status::Revoked | Status::Absent))
    }

    pub(super) fn variables_in(&self, scope: &Scope) -> Option<&Variables> {
        self.variables.as_ref().filter(|(of, _)| of == scope).map(|(_, variables)| variables)
    }

    /// Returns the certificate if this run has seen it.
    pub(super) fn pem(&self, id: CertificateId) -> Option<&CertificatePem> {
        let made = self.made.as_ref().filter(|made| made.id() == id);
        made.or_else(|| self.looks.get(&id).and_then(|look| look.pem.as_ref()))
    }

    /// Keeps the first failure.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.end.get_or_insert(Answer::Failed(failure));
    }
}

impl Observed {
    /// Begins a run on `thing`, whose row is `row`, read strongly.
    ///
    /// `lease` is drawn at random for this run. `variables` are those of a scope if they were read together with the
    /// device; they are believed only if there is no row, since nothing tells that they are younger than it.
    #[must_use]
    pub fn new(thing: ThingName, lease: Lease, row: Option<Row>, variables: Option<(Scope, Variables)>) -> Self {
        let variables = variables.filter(|_| row.is_none());
        let facts = Facts { variables, ..Facts::default() };
        Self { thing, lease, row, hold: Hold::Free, facts, refusals: 0 }
    }

    /// Returns the row as it was last read or written.
    #[must_use]
    pub const fn row(&self) -> Option<&Row> {
        self.row.as_ref()
    }

    /// A write of the row under the lease.
    pub(super) fn write(&self, write: Write, mut row: Row, now: UnixSeconds) -> Step {
        row.updated = now;
        Step::Write { write, row: Box::new(row), on: Condition::Held(self.lease) }
    }

    /// The first write of a run. `row` is to be under the lease.
    pub(super) fn take(&self, row: Row) -> Step {
        let on = self.row.as_ref().map_or(Condition::Absent, |before| Condition::Expired(before.lease));
        Step::Write { write: Write::Take, row: Box::new(row), on }
    }

    /// The write that ends a run: `row` is free for others.
    ///
    /// After a take-over it is not before the other run's end, and while a change of a variable may still come not
    /// before the end of this lease: it would come upon the variables of the next run.
    pub(super) fn release(&self, write: Write, mut row: Row, now: UnixSeconds) -> Step {
        let own = self.facts.unanswered.map(|_| row.lease_until);
        let until = self.facts.displaced.or(own);
        row.lease_until = until.unwrap_or(UnixSeconds::new(0));
        row.due = until.or_else(|| self.due(&row, now));
        self.write(write, row, now)
    }

    /// The time from which the sweep has something to do for `row`.
    fn due(&self, row: &Row, now: UnixSeconds) -> Option<UnixSeconds> {
        let is_gone = row.is_bare() && self.is_thing_gone();
        let is_left = |of: &Certificate| of.state == CertificateState::Due || row.state == State::Provisioning;
        match row.state {
            State::Deleting if is_gone => Some(row.day_ends().max(now)),
            State::Blocked if is_gone => None,
            State::Deleting | State::Blocked => Some(now),
            State::Done | State::Provisioning => {
                (row.certificates.values().any(is_left) || !row.pending.is_empty()).then_some(now)
            }
        }
    }

    /// Returns `true` if there is no Thing of ours any more.
    pub(super) fn is_thing_gone(&self) -> bool {
        matches!(self.facts.thing, Some(Thing::Absent | Thing::Anothers))
    }

    /// The answer to a caller that meets the lease of another run.
    pub(super) fn in_progress(&self, now: UnixSeconds) -> Step {
        let until = self.row.as_ref().map_or(0, |row| row.lease_until.get());
        Step::Answer(Answer::InProgress { retry_after_seconds: until.saturating_sub(now.get()) + 1 })
    }

    /// Makes the certificates of `ids` `due` that were seen inactive, and forgets those that are gone.
    pub(super) fn retire(&self, row: &mut Row, ids: impl IntoIterator<Item = CertificateId>, now: UnixSeconds) {
        for id in ids {
            match self.facts.status(id) {
                Some(Status::Absent) => drop(row.certificates.remove(&id)),
                _ if self.facts.is_inactive(id) => row.retire(id, now),
                _ => {}
            }
        }
    }
}

/// Returns the certificates of `row` other than `id` that may be active.
pub(super) fn others(row: &Row, id: CertificateId) -> impl Iterator<Item = CertificateId> {
    let live = row.certificates.iter().filter(|(_, of)| of.state != CertificateState::Due);
    live.map(|(other, _)| *other).filter(move |other| *other != id)
}
