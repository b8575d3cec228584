//! A device is given an identity.

use super::{
    deliver,
    observed::{Facts, Hold, Observed, Thing, others},
    target::{Delivery, Provision},
};
use crate::{
    provisioning::{
        certificate::CertificateId,
        row::{Certificate, CertificateState, Row, State},
        step::{Answer, Condition, Failure, Status, Step, Write},
    },
    time::UnixSeconds,
};

pub(super) fn next(target: &Provision, seen: &Observed, now: UnixSeconds) -> Step {
    match (seen.hold, &seen.row) {
        (Hold::Free, row) => free(target, seen, row.as_ref(), now),
        (Hold::Held, Some(row)) => match end(target, &seen.facts) {
            None => held(target, seen, row, now),
            Some(end) => ending(target, seen, row, &end, now),
        },
        (Hold::Lost, _) => lost(seen, now),
        (Hold::Held, None) | (Hold::Over, _) => Step::Answer(answer(target, seen)),
    }
}

/// The reason to stop, if there is one.
fn end(target: &Provision, facts: &Facts) -> Option<Answer> {
    let adopts = matches!(target.delivery, Delivery::Variables { adopt: true, .. });
    let is_anothers = facts.thing == Some(Thing::Anothers) && !adopts;
    facts.end.clone().or_else(|| is_anothers.then_some(Answer::NotManaged))
}

fn answer(target: &Provision, seen: &Observed) -> Answer {
    if let Some(end) = end(target, &seen.facts) {
        return end;
    }
    let id = seen.row.as_ref().and_then(Row::active);
    match id.and_then(|id| seen.facts.pem(id)) {
        Some(pem) if seen.facts.made.is_some() || target.delivery == Delivery::Answer => Answer::Created(pem.clone()),
        Some(pem) => Answer::Exists(pem.clone()),
        None => Answer::Failed(Failure::Unknown),
    }
}

/// Nothing is written yet: the row and its certificate are looked at.
fn free(target: &Provision, seen: &Observed, row: Option<&Row>, now: UnixSeconds) -> Step {
    if let Some(end) = &seen.facts.end {
        return Step::Answer(end.clone());
    }
    let Some(row) = row else { return take(target, seen, true, now) };
    if row.state == State::Blocked {
        return Step::Answer(Answer::Blocked);
    }
    if row.is_leased(now) {
        return seen.in_progress(now);
    }
    if let Delivery::Variables { scope, .. } = &target.delivery
        && row.state == State::Done
        && row.scope.as_ref() != Some(scope)
    {
        return Step::Answer(Answer::ExistsElsewhere);
    }
    let Some((id, certificate)) = candidate(target, row) else { return take(target, seen, true, now) };
    match (seen.facts.status(id), &target.delivery, &row.scope) {
        (None, ..) => Step::DescribeCertificate(id),
        (Some(Status::PendingTransfer), ..) => Step::Answer(Answer::PendingTransfer),
        (Some(Status::Active), Delivery::Answer, _) => delivered(target, seen, id, row, now),
        (Some(Status::Active), Delivery::Variables { .. }, Some(scope)) => match seen.facts.variables_in(scope) {
            None => Step::ReadVariables(scope.clone()),
            Some(_) if kept(target, seen, row) == Some(id) => delivered(target, seen, id, row, now),
            Some(_) => take(target, seen, true, now),
        },
        (Some(Status::Inactive), Delivery::Answer, _) if certificate.state == CertificateState::Made => {
            take(target, seen, false, now)
        }
        _ => take(target, seen, true, now),
    }
}

/// The device has a good certificate: there is nothing to do, or only the row to be finished.
fn delivered(target: &Provision, seen: &Observed, id: CertificateId, row: &Row, now: UnixSeconds) -> Step {
    match seen.facts.pem(id) {
        Some(pem) if row.state == State::Done => Step::Answer(Answer::Exists(pem.clone())),
        _ => take(target, seen, false, now),
    }
}

/// The certificate of the row that may be the one asked for.
fn candidate<'a>(target: &Provision, row: &'a Row) -> Option<(CertificateId, &'a Certificate)> {
    if row.state == State::Deleting {
        return None;
    }
    let id = match target.delivery {
        Delivery::Variables { .. } => row.active(),
        Delivery::Answer => {
            let of_key = row.certificates.iter().filter(|(_, of)| of.key == Some(target.key));
            let live = of_key.filter(|(_, of)| of.state != CertificateState::Due);
            live.max_by_key(|(_, of)| of.state).map(|(id, _)| *id)
        }
    }?;
    row.certificates.get(&id).map(|certificate| (id, certificate))
}

/// The first write. If `issue`, it counts a certificate that is about to be asked for.
fn take(target: &Provision, seen: &Observed, issue: bool, now: UnixSeconds) -> Step {
    let new = || Row::new(seen.thing, State::Provisioning, seen.lease, now);
    let mut row = seen.row.clone().unwrap_or_else(new);
    row.lease_to(seen.lease, UnixSeconds::new(0), now);
    row.state = State::Provisioning;
    match issue.then(|| row.issue(target.key, now)) {
        Some(Err(limit)) => {
            Step::Answer(Answer::TooManyCertificates { retry_after_seconds: limit.retry_after_seconds })
        }
        _ => seen.take(row),
    }
}

/// The certificate that the variables show, if it is one of the row and active: the device has it already.
fn kept(target: &Provision, seen: &Observed, row: &Row) -> Option<CertificateId> {
    let facts = &seen.facts;
    if target.delivery == Delivery::Answer || facts.made.is_some() {
        return None;
    }
    let (id, _) = facts.variables.as_ref().and_then(|(_, variables)| variables.pair())?;
    let is_live = row.certificates.get(&id).is_some_and(|of| of.state != CertificateState::Due);
    (is_live && facts.status(id) == Some(Status::Active)).then_some(id)
}

/// The lease is held, and nothing has failed.
fn held(target: &Provision, seen: &Observed, row: &Row, now: UnixSeconds) -> Step {
    if let Some(id) = kept(target, seen, row) {
        return deactivation(seen, row, id).unwrap_or_else(|| deliver::finish(seen, row, id, now));
    }
    match seen.facts.thing {
        None | Some(Thing::Absent) => return Step::CreateThing,
        Some(Thing::Exists) => return Step::DescribeThing,
        Some(Thing::Anothers) => return adopt(seen, row, now),
        Some(Thing::Ours) => {}
    }
    if let Some(step) = look_at_adopted(target, seen, row) {
        return step;
    }
    let resumed = || candidate(target, row).map(|(id, _)| id).filter(|_| !seen.facts.is_issue);
    match seen.facts.made.as_ref().map(|made| made.id()).or_else(resumed) {
        Some(id) => issued(target, seen, row, id, now),
        None if seen.facts.is_issue => Step::CreateCertificate,
        None => seen.release(Write::Release, row.clone(), now),
    }
}

/// The certificates of somebody else's Thing enter the row, and then it becomes ours.
fn adopt(seen: &Observed, row: &Row, now: UnixSeconds) -> Step {
    let Some(principals) = &seen.facts.principals else { return Step::ListPrincipals };
    if principals.iter().all(|id| row.certificates.contains_key(id)) {
        return Step::AdoptThing;
    }
    let mut row = row.clone();
    let found = Certificate { state: CertificateState::Made, created: now, key: None };
    for id in principals {
        row.certificates.entry(*id).or_insert(found);
    }
    seen.write(Write::RecordPrincipals, row, now)
}

/// The variables of an adopted Thing may be a working pair.
fn look_at_adopted(target: &Provision, seen: &Observed, row: &Row) -> Option<Step> {
    let Delivery::Variables { scope, .. } = &target.delivery else { return None };
    if seen.facts.principals.is_none() || seen.facts.made.is_some() {
        return None;
    }
    let Some(variables) = seen.facts.variables_in(scope) else { return Some(Step::ReadVariables(scope.clone())) };
    let (id, _) = variables.pair()?;
    let is_unseen = row.certificates.contains_key(&id) && seen.facts.status(id).is_none();
    is_unseen.then_some(Step::DescribeCertificate(id))
}

/// The certificate `id` is made: it is recorded, attached, activated and delivered.
fn issued(target: &Provision, seen: &Observed, row: &Row, id: CertificateId, now: UnixSeconds) -> Step {
    if !row.certificates.contains_key(&id) {
        let mut row = row.clone();
        row.record(id, now);
        row.policy = Some(target.policy.clone());
        return seen.write(Write::RecordCertificate, row, now);
    }
    let look = seen.facts.looks.get(&id);
    if !look.is_some_and(|look| look.has_policy) {
        return Step::AttachPolicy(id, target.policy.clone());
    }
    if !look.is_some_and(|look| look.is_on_thing) {
        return Step::AttachThing(id);
    }
    if let Some(step) = deactivation(seen, row, id) {
        return step;
    }
    let is_active = seen.facts.status(id) == Some(Status::Active);
    match &target.delivery {
        Delivery::Variables { scope, .. } if !is_active => {
            deliver::clear_old_scope(seen, row, id, scope, now).unwrap_or_else(|| activation(seen, row, id, now))
        }
        Delivery::Answer if !is_active => activation(seen, row, id, now),
        Delivery::Variables { scope, .. } => deliver::next(seen, row, id, scope, now),
        Delivery::Answer => deliver::finish(seen, row, id, now),
    }
}

/// The other certificates of the row are deactivated first.
fn deactivation(seen: &Observed, row: &Row, id: CertificateId) -> Option<Step> {
    others(row, id).find(|other| !seen.facts.is_inactive(*other)).map(Step::Deactivate)
}

fn activation(seen: &Observed, row: &Row, id: CertificateId, now: UnixSeconds) -> Step {
    if seen.facts.is_fenced && others(row, id).next().is_none() {
        Step::Activate(id)
    } else {
        deliver::fence(seen, row, id, now)
    }
}

/// Something has failed: what was begun is cleaned, and the lease released.
fn ending(target: &Provision, seen: &Observed, row: &Row, end: &Answer, now: UnixSeconds) -> Step {
    let facts = &seen.facts;
    let made = facts.made.as_ref().map(|made| made.id());
    if let (Delivery::Variables { scope, .. }, Some(id)) = (&target.delivery, made)
        && let Some(step) = deliver::clean(seen, row, id, scope, now)
    {
        return step;
    }
    if *end == Answer::NotManaged && facts.before.is_none() {
        return Step::RemoveRow { on: Condition::Held(seen.lease) };
    }
    let mut row = row.clone();
    if facts.is_issue && made.is_none() && !facts.is_id_lost {
        row.unissue();
        row.state = facts.before.unwrap_or(State::Provisioning);
    }
    if let Some(id) = made {
        // One that is not recorded stays a pending entry.
        let may_be_active = facts.looks.get(&id).is_some_and(|look| look.may_be_active);
        // No other run has the key.
        let is_recorded = row.certificates.contains_key(&id);
        if matches!(target.delivery, Delivery::Variables { .. }) && is_recorded && !may_be_active {
            seen.retire(&mut row, [id], now);
        }
        let others: Vec<_> = others(&row, id).collect();
        seen.retire(&mut row, others, now);
    }
    seen.release(Write::Release, row, now)
}

/// The lease is lost: only a certificate that no row names yet is this run's own.
fn lost(seen: &Observed, now: UnixSeconds) -> Step {
    let facts = &seen.facts;
    let own = facts.made.as_ref().map(|made| made.id()).filter(|_| !facts.is_recorded);
    let is_there = |id: &CertificateId| {
        let look = facts.looks.get(id);
        look.is_none_or(|look| !look.is_left && look.status != Some(Status::Absent))
    };
    match own.filter(is_there) {
        Some(id) => Step::DeleteCertificate(id),
        None => seen.in_progress(now),
    }
}
