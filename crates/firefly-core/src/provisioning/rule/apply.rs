//! The change of the observations by a step's outcome.

use super::observed::{Facts, Hold, Observed, Thing};
use crate::provisioning::{
    certificate::CertificateId,
    row::Row,
    step::{Answer, Failure, Outcome, Status, Step, Write},
    variables::{Value, Variable, Variables},
};

/// The refusals of its first write after which a run leaves the row to the others.
const MAX_REFUSALS: u8 = 3;

impl Observed {
    /// Adds the outcome of `step`. An outcome that no such step has counts as [`Failure::Unknown`].
    #[must_use]
    pub fn apply(mut self, step: &Step, outcome: Outcome) -> Self {
        self.facts.is_fenced = false;
        match step {
            Step::Write { write, row, .. } => self.written(*write, row, outcome),
            Step::RemoveRow { .. } => self.removed(outcome),
            Step::CreateThing | Step::DescribeThing | Step::AdoptThing | Step::ListPrincipals | Step::DeleteThing => {
                self.facts.thing_seen(step, outcome);
            }
            Step::CreateCertificate => self.facts.certificate_made(outcome),
            Step::DescribeCertificate(id)
            | Step::AttachPolicy(id, _)
            | Step::AttachThing(id)
            | Step::Activate(id)
            | Step::Deactivate(id) => self.facts.certificate_seen(step, *id, outcome),
            Step::ListThings(id)
            | Step::ListPolicies(id)
            | Step::DetachPolicy(id, _)
            | Step::DetachThing(id)
            | Step::DeleteCertificate(id) => self.facts.certificate_removed(step, *id, outcome),
            Step::ReadVariables(_) | Step::SetVariable(..) | Step::DeleteVariable(..) => {
                self.facts.variables_seen(step, outcome);
            }
            Step::Report(report) => drop(self.facts.reported.insert(*report)),
            Step::Answer(_) => {}
        }
        self
    }

    fn written(&mut self, write: Write, row: &Row, outcome: Outcome) {
        let is_first = matches!(write, Write::Take | Write::TakeOver);
        let is_last = matches!(write, Write::Finish | Write::Release);
        match outcome {
            Outcome::Done => {}
            // Only this run writes its lease: an earlier try of the write was done.
            Outcome::Refused(Some(found)) if is_first && found.lease == self.lease => {}
            Outcome::Refused(found) => return self.refused(is_first, found.map(|found| *found)),
            outcome => {
                self.facts.fail(failure(&outcome));
                if is_last {
                    self.hold = Hold::Over;
                }
                return;
            }
        }
        if is_first {
            self.facts.before = self.row.as_ref().map(|before| before.state);
            self.facts.is_issue = row.pending.contains_key(&self.lease);
            let displaced = self.row.as_ref().filter(|_| write == Write::TakeOver).map(|before| before.lease_until);
            self.facts.displaced = displaced;
        }
        self.facts.is_recorded |= write == Write::RecordCertificate;
        self.facts.is_fenced = true;
        if write == Write::Finish {
            self.facts.end = None;
        }
        self.hold = if is_last { Hold::Over } else { Hold::Held };
        self.row = Some(row.clone());
    }

    fn refused(&mut self, is_first: bool, found: Option<Row>) {
        self.row = found;
        if !is_first {
            self.hold = Hold::Lost;
        } else if self.refusals == MAX_REFUSALS {
            self.facts.fail(Failure::Throttled);
        } else {
            self.refusals += 1;
            self.facts = Facts::default();
        }
    }

    fn removed(&mut self, outcome: Outcome) {
        match outcome {
            // Where there is no row, an earlier try has removed it.
            Outcome::Done | Outcome::Refused(None) => {
                self.row = None;
                self.hold = Hold::Over;
            }
            Outcome::Refused(found) => self.refused(false, found.map(|found| *found)),
            outcome => {
                self.facts.fail(failure(&outcome));
                self.hold = Hold::Over;
            }
        }
    }
}

/// The failure that an outcome is where it is not the one hoped for.
const fn failure(outcome: &Outcome) -> Failure {
    match outcome {
        Outcome::Failed(failure) => *failure,
        _ => Failure::Unknown,
    }
}

fn value<T>(of: Option<T>) -> Value<T> {
    of.map_or(Value::Absent, Value::Of)
}

impl Facts {
    fn thing_seen(&mut self, step: &Step, outcome: Outcome) {
        match (step, outcome) {
            (Step::CreateThing | Step::AdoptThing, Outcome::Done) => self.thing = Some(Thing::Ours),
            (Step::CreateThing, Outcome::Conflict) if self.thing.is_none() => self.thing = Some(Thing::Exists),
            (Step::DescribeThing, Outcome::Thing { is_ours: true }) => self.thing = Some(Thing::Ours),
            (Step::DescribeThing, Outcome::Thing { is_ours: false }) => self.thing = Some(Thing::Anothers),
            (Step::DescribeThing, Outcome::Absent) | (Step::DeleteThing, Outcome::Done | Outcome::Absent) => {
                self.thing = Some(Thing::Absent);
            }
            (Step::ListPrincipals, Outcome::Principals(ids)) => self.principals = Some(ids),
            (Step::ListPrincipals, Outcome::Absent) => self.principals = Some([].into()),
            (Step::DeleteThing, _) => self.is_thing_left = true,
            (_, outcome) => self.fail(failure(&outcome)),
        }
    }

    fn certificate_made(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Made(made) => {
                let pem = made.into_pem();
                self.look(pem.id()).status = Some(Status::Inactive);
                self.made = Some(pem);
            }
            outcome => {
                self.is_id_lost = failure(&outcome).may_be_done();
                self.fail(failure(&outcome));
            }
        }
    }

    fn certificate_seen(&mut self, step: &Step, id: CertificateId, outcome: Outcome) {
        let look = self.look(id);
        match (step, outcome) {
            (Step::DescribeCertificate(_), Outcome::Certificate { status, pem }) if pem.id() == id => {
                (look.status, look.pem) = (Some(status), Some(pem));
            }
            (Step::DescribeCertificate(_) | Step::Deactivate(_), Outcome::Absent) => look.status = Some(Status::Absent),
            (Step::AttachPolicy(..), Outcome::Done) => look.has_policy = true,
            (Step::AttachPolicy(..), Outcome::Absent) => self.fail(Failure::Denied),
            (Step::AttachThing(_), Outcome::Done) => look.is_on_thing = true,
            (Step::Activate(_), Outcome::Done) => look.status = Some(Status::Active),
            (Step::Deactivate(_), Outcome::Done) => look.status = Some(Status::Inactive),
            (Step::Activate(_) | Step::Deactivate(_), Outcome::Conflict) => {
                look.status = Some(Status::PendingTransfer);
                self.end.get_or_insert(Answer::PendingTransfer);
            }
            (step, outcome) => {
                look.may_be_active |= matches!(step, Step::Activate(_)) && failure(&outcome).may_be_done();
                self.fail(failure(&outcome));
            }
        }
    }

    fn certificate_removed(&mut self, step: &Step, id: CertificateId, outcome: Outcome) {
        let look = self.look(id);
        match (step, outcome) {
            (Step::ListPolicies(_), Outcome::Policies(names)) => look.policies = Some(names),
            (Step::ListThings(_), Outcome::Things { others }) => look.is_elsewhere = Some(others),
            (Step::ListPolicies(_) | Step::ListThings(_), Outcome::Absent)
            | (Step::DeleteCertificate(_), Outcome::Done | Outcome::Absent) => look.status = Some(Status::Absent),
            (Step::DetachPolicy(_, name), Outcome::Done | Outcome::Absent) => {
                look.policies.get_or_insert_default().remove(name);
            }
            (Step::DetachThing(_), Outcome::Done | Outcome::Absent) => look.is_detached = true,
            // A certificate of unknown ownership may be active.
            (Step::ListThings(_), outcome) => self.fail(failure(&outcome)),
            _ => look.is_left = true,
        }
    }

    fn variables_seen(&mut self, step: &Step, outcome: Outcome) {
        match (step, outcome) {
            (Step::ReadVariables(scope), Outcome::Variables(read)) => {
                self.variables = Some((scope.clone(), read));
                self.is_read_back = true;
                let ours = self.made.as_ref().map(|made| (made.id(), made.key()));
                if self.has_set && read.pair() != ours {
                    self.fail(Failure::Unknown);
                }
                self.unanswered = self.unanswered.filter(|(variable, is_set)| match variable {
                    Variable::Certificate => read.certificate != value(ours.filter(|_| *is_set)),
                    Variable::PrivateKey => read.key != value(ours.filter(|_| *is_set).map(|(_, key)| key)),
                });
            }
            (Step::SetVariable(variable, _), Outcome::Done) => {
                self.has_set = true;
                self.change(*variable, true);
            }
            (Step::DeleteVariable(variable, scope), Outcome::Done | Outcome::Absent) => {
                self.deleted.insert((scope.clone(), *variable));
                if self.variables_in(scope).is_some() {
                    self.change(*variable, false);
                }
            }
            (step, outcome) => {
                self.is_cleaning_over |= self.end.is_some();
                self.has_set |= matches!(step, Step::SetVariable(..));
                self.variables = None;
                if let (Step::SetVariable(variable, _) | Step::DeleteVariable(variable, _), Failure::Unanswered) =
                    (step, failure(&outcome))
                {
                    self.unanswered = Some((*variable, matches!(step, Step::SetVariable(..))));
                }
                self.fail(failure(&outcome));
            }
        }
    }

    /// Notes that a variable was set to that of the certificate made, or deleted.
    fn change(&mut self, variable: Variable, is_set: bool) {
        let ours = self.made.as_ref().filter(|_| is_set).map(|made| (made.id(), made.key()));
        self.is_read_back = false;
        if let Some((_, Variables { certificate, key })) = &mut self.variables {
            match variable {
                Variable::Certificate => *certificate = value(ours),
                Variable::PrivateKey => *key = value(ours.map(|(_, key)| key)),
            }
        }
    }
}
