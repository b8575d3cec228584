//! An identity is taken back.

use super::{
    observed::{Hold, Look, Observed, Thing},
    target::Remover,
};
use crate::{
    provisioning::{
        certificate::CertificateId,
        name::Scope,
        row::{Certificate, CertificateState, Row, State},
        step::{Answer, Condition, Report, Status, Step, Write},
        variables::Variable,
    },
    time::UnixSeconds,
};

pub(super) fn next(by: Remover, seen: &Observed, now: UnixSeconds) -> Step {
    match (seen.hold, &seen.row) {
        (Hold::Free, row) => free(by, seen, row.as_ref(), now),
        (Hold::Held, Some(row)) => held(by, seen, row, now),
        (Hold::Lost, _) => seen.in_progress(now),
        (Hold::Held, None) | (Hold::Over, _) => Step::Answer(answer(by, seen)),
    }
}

fn answer(by: Remover, seen: &Observed) -> Answer {
    let is_inactive = seen.row.as_ref().is_none_or(|row| row.certificates.values().all(is_due)) && is_listed(seen);
    match &seen.facts.end {
        Some(end) if !is_inactive => end.clone(),
        _ => {
            let is_left = |row: &Row| left_variable(seen, row).is_some();
            let variables_left = by == Remover::Device { variables: true } && seen.row.as_ref().is_some_and(is_left);
            Answer::Deleted { variables_left }
        }
    }
}

pub(super) fn is_due(of: &Certificate) -> bool {
    of.state == CertificateState::Due
}

/// Returns `true` if every certificate at the Thing is known, and each that is ours is in the row or gone. The
/// certificates of somebody else's Thing are not ours.
fn is_listed(seen: &Observed) -> bool {
    let is_settled = |id: &CertificateId| {
        let is_named = seen.row.as_ref().is_some_and(|row| row.certificates.contains_key(id));
        is_named || seen.facts.looks.get(id).is_some_and(|look| look.is_elsewhere == Some(true) || is_gone(look))
    };
    seen.is_thing_gone() || seen.facts.principals.as_ref().is_some_and(|ids| ids.iter().all(is_settled))
}

fn is_gone(look: &Look) -> bool {
    look.status == Some(Status::Absent)
}

/// Nothing is written yet.
fn free(by: Remover, seen: &Observed, row: Option<&Row>, now: UnixSeconds) -> Step {
    if let Some(end) = &seen.facts.end {
        return Step::Answer(end.clone());
    }
    let is_leased = row.is_some_and(|row| row.is_leased(now));
    let before = row.map(|row| row.state);
    let state = match (by, before, seen.facts.thing) {
        (Remover::Device { .. }, None, _) => return Step::Answer(Answer::Deleted { variables_left: false }),
        (Remover::Device { .. }, ..) if is_leased => return seen.in_progress(now),
        (Remover::Device { .. }, Some(State::Blocked), _) => State::Blocked,
        (Remover::Device { .. }, ..) | (Remover::Operator { forget: true }, Some(_), _) => State::Deleting,
        (Remover::Operator { .. }, Some(_), _) => State::Blocked,
        (Remover::Operator { .. }, None, None | Some(Thing::Exists)) => return Step::DescribeThing,
        (Remover::Operator { .. }, None, Some(Thing::Anothers | Thing::Absent)) => {
            return Step::Answer(Answer::NotManaged);
        }
        (Remover::Operator { forget: true }, None, Some(Thing::Ours)) => State::Deleting,
        (Remover::Operator { forget: false }, None, Some(Thing::Ours)) => State::Blocked,
    };
    let mut taken = row.cloned().unwrap_or_else(|| Row::new(seen.thing, state, seen.lease, now));
    let displaced = if is_leased { taken.lease_until } else { UnixSeconds::new(0) };
    taken.lease_to(seen.lease, displaced, now);
    taken.state = state;
    match row {
        Some(row) if is_leased => {
            Step::Write { write: Write::TakeOver, row: Box::new(taken), on: Condition::Held(row.lease) }
        }
        _ => seen.take(taken),
    }
}

fn held(by: Remover, seen: &Observed, row: &Row, now: UnixSeconds) -> Step {
    if let Some(step) = clear(seen, row, now) {
        return step;
    }
    if let (Remover::Device { variables: true }, true) = (by, is_listed(seen) && row.certificates.values().all(is_due))
        && let Some(step) = variables(seen, row, now)
    {
        return step;
    }
    seen.release(Write::Release, cleared(seen, row), now)
}

/// The device's variables go last, and the lease is proved before the first.
fn variables(seen: &Observed, row: &Row, now: UnixSeconds) -> Option<Step> {
    if seen.facts.end.is_some() {
        return None;
    }
    let (variable, scope) = left_variable(seen, row)?;
    if variable == Variable::Certificate && !seen.facts.is_fenced {
        return Some(seen.write(Write::Fence, cleared(seen, row), now));
    }
    Some(Step::DeleteVariable(variable, scope.clone()))
}

/// The first variable of the row's scope that this run has not deleted.
fn left_variable<'a>(seen: &Observed, row: &'a Row) -> Option<(Variable, &'a Scope)> {
    let scope = row.scope.as_ref()?;
    let is_left = |variable: &Variable| !seen.facts.deleted.contains(&(scope.clone(), *variable));
    let variable = [Variable::Certificate, Variable::PrivateKey].into_iter().find(is_left)?;
    Some((variable, scope))
}

/// Returns the row without what is gone.
pub(super) fn cleared(seen: &Observed, row: &Row) -> Row {
    let mut row = row.clone();
    row.certificates.retain(|id, _| seen.facts.status(*id) != Some(Status::Absent));
    if row.certificates.values().all(is_due) {
        row.certificate_pem = None;
    }
    if left_variable(seen, &row).is_none() {
        row.scope = None;
    }
    row
}

/// Deactivates every certificate of the row and of the Thing, detaches them, and tries once to delete them and it.
pub(super) fn clear(seen: &Observed, row: &Row, now: UnixSeconds) -> Option<Step> {
    if seen.facts.end.is_none() {
        let all: Vec<_> = row.certificates.keys().copied().collect();
        if let Some(step) = deactivation(seen, &all).or_else(|| principals(seen, row)) {
            return Some(step);
        }
        if let Some(step) = retirement(seen, row, all, now) {
            return Some(step);
        }
    }
    if !is_listed(seen) || !row.certificates.values().all(is_due) {
        return None;
    }
    removal(seen, row.certificates.keys().copied()).or_else(|| thing(seen, row, now))
}

pub(super) fn deactivation(seen: &Observed, ids: &[CertificateId]) -> Option<Step> {
    ids.iter().find(|id| !seen.facts.is_inactive(**id)).map(|id| Step::Deactivate(*id))
}

/// The certificates at our Thing that the row does not name.
fn principals(seen: &Observed, row: &Row) -> Option<Step> {
    match seen.facts.thing {
        None | Some(Thing::Exists) => return Some(Step::DescribeThing),
        Some(Thing::Anothers | Thing::Absent) => return None,
        Some(Thing::Ours) => {}
    }
    let Some(principals) = &seen.facts.principals else { return Some(Step::ListPrincipals) };
    principals.iter().filter(|id| !row.certificates.contains_key(id)).find_map(|id| stranger(seen, *id))
}

/// A certificate at the Thing that no row names: it is ours if it is at no other Thing.
fn stranger(seen: &Observed, id: CertificateId) -> Option<Step> {
    let default = Look::default();
    let look = seen.facts.looks.get(&id).unwrap_or(&default);
    match look.is_elsewhere {
        _ if is_gone(look) => None,
        None => Some(Step::ListThings(id)),
        Some(false) => (!seen.facts.is_inactive(id)).then_some(Step::Deactivate(id)),
        Some(true) if !look.is_detached && !look.is_left => Some(Step::DetachThing(id)),
        Some(true) => {
            let report = Report::SharedCertificate(id);
            (!seen.facts.reported.contains(&report)).then_some(Step::Report(report))
        }
    }
}

/// All that was deactivated becomes `due`, in one write.
pub(super) fn retirement(
    seen: &Observed,
    row: &Row,
    ids: impl IntoIterator<Item = CertificateId>,
    now: UnixSeconds,
) -> Option<Step> {
    let own = |id: &CertificateId| seen.facts.looks.get(id).is_some_and(|look| look.is_elsewhere == Some(false));
    let strangers = seen.facts.principals.iter().flatten().copied().filter(own);
    let mut retired = row.clone();
    seen.retire(&mut retired, ids.into_iter().chain(strangers), now);
    let is_changed = retired.certificates.iter().any(|(id, of)| row.certificates.get(id) != Some(of));
    is_changed.then(|| seen.write(Write::Retire, retired, now))
}

/// Takes inactive certificates apart. A step that fails leaves its certificate to the sweep.
pub(super) fn removal(seen: &Observed, ids: impl IntoIterator<Item = CertificateId>) -> Option<Step> {
    ids.into_iter().find_map(|id| {
        let look = seen.facts.looks.get(&id).filter(|look| !look.is_left && !is_gone(look))?;
        if !seen.facts.is_inactive(id) {
            return None;
        }
        let Some(policies) = &look.policies else { return Some(Step::ListPolicies(id)) };
        if let Some(policy) = policies.first() {
            return Some(Step::DetachPolicy(id, policy.clone()));
        }
        if !look.is_detached {
            return Some(Step::DetachThing(id));
        }
        seen.facts.displaced.is_none().then_some(Step::DeleteCertificate(id))
    })
}

/// The Thing goes when no certificate is left.
fn thing(seen: &Observed, row: &Row, now: UnixSeconds) -> Option<Step> {
    let facts = &seen.facts;
    let is_bare = row.certificates.keys().all(|id| facts.status(*id) == Some(Status::Absent));
    if !is_bare || facts.displaced.is_some() || facts.end.is_some() || facts.is_thing_left {
        return None;
    }
    match facts.thing {
        Some(Thing::Ours) if facts.is_fenced => Some(Step::DeleteThing),
        Some(Thing::Ours) => Some(seen.write(Write::Fence, cleared(seen, row), now)),
        None | Some(Thing::Exists | Thing::Anothers | Thing::Absent) => None,
    }
}
