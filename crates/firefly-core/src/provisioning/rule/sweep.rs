//! A row that another run has left half-done is finished.

use super::{
    deliver,
    observed::{Hold, Observed},
    remove,
    target::Sweep,
};
use crate::{
    provisioning::{
        certificate::CertificateId,
        name::Scope,
        row::{Certificate, CertificateState, Row, SWEEP_SECONDS, State},
        step::{Answer, Condition, Report, Status, Step, Write},
    },
    time::UnixSeconds,
};

pub(super) fn next(target: &Sweep, seen: &Observed, now: UnixSeconds) -> Step {
    match (seen.hold, &seen.row) {
        (Hold::Free, Some(row)) if seen.facts.end.is_none() => {
            if row.is_leased(now) {
                return seen.in_progress(now);
            }
            let mut taken = row.clone();
            taken.lease_to(seen.lease, UnixSeconds::new(0), now);
            seen.take(taken)
        }
        (Hold::Held, Some(row)) => held(target, seen, row, now),
        (Hold::Lost, _) => seen.in_progress(now),
        _ => Step::Answer(seen.facts.end.clone().unwrap_or(Answer::Swept)),
    }
}

fn held(target: &Sweep, seen: &Observed, row: &Row, now: UnixSeconds) -> Step {
    if seen.facts.end.is_none()
        && let Some(step) = pending(target, seen, row, now)
    {
        return step;
    }
    let is_whole = matches!(row.state, State::Deleting | State::Blocked);
    let delivering = undecided(row);
    if seen.facts.end.is_none()
        && let Some(step) = delivering.and_then(|id| decide(target, seen, row, id, now))
    {
        return step;
    }
    let step = if is_whole { remove::clear(seen, row, now) } else { clear_due(seen, row, now) };
    if let Some(step) = step {
        return step;
    }
    let cleared = remove::cleared(seen, row);
    let is_over = cleared.is_bare() && seen.is_thing_gone() && cleared.day_ends() <= now;
    if row.state == State::Deleting && is_over {
        return Step::RemoveRow { on: Condition::Held(seen.lease) };
    }
    match delivering.filter(|id| is_delivered(seen, row, *id)) {
        Some(id) => deliver::finish(seen, &cleared, id, now),
        None => release(target, seen, cleared, now),
    }
}

/// The entries whose search is over go. The certificates that it found for them are in the row from then on.
fn pending(target: &Sweep, seen: &Observed, row: &Row, now: UnixSeconds) -> Option<Step> {
    let mut after = row.clone();
    after.pending.retain(|_, entry| entry.since > target.searched);
    if after.pending.len() == row.pending.len() {
        return None;
    }
    let searched = row.pending.values().filter(|entry| entry.since <= target.searched);
    for key in searched.map(|entry| entry.key) {
        target.found.iter().filter(|found| found.key == key).for_each(|found| after.retire(found.id, now));
    }
    Some(seen.write(Write::RecordPending, after, now))
}

/// The certificate whose delivery another run has left.
fn undecided(row: &Row) -> Option<CertificateId> {
    let is_undecided = row.state == State::Provisioning;
    let mut all = row.certificates.iter().filter(|(_, of)| is_undecided && of.state == CertificateState::Delivering);
    all.next().map(|(id, _)| *id)
}

/// Looks whether the device has the certificate. Variables that are not a pair with it go: the device asks again.
fn decide(target: &Sweep, seen: &Observed, row: &Row, id: CertificateId, now: UnixSeconds) -> Option<Step> {
    let scope = readable(target, row)?;
    let Some(status) = seen.facts.status(id) else { return Some(Step::DescribeCertificate(id)) };
    let Some(variables) = seen.facts.variables_in(scope) else { return Some(Step::ReadVariables(scope.clone())) };
    if status == Status::Active && variables.pair().is_some_and(|(of, _)| of == id) {
        return None;
    }
    let deletion = deliver::deletion(variables, scope)?;
    let is_first = seen.facts.deleted.is_empty() && !seen.facts.is_fenced;
    Some(if is_first { seen.write(Write::Fence, row.clone(), now) } else { deletion })
}

/// The place of the variables, if this account can read them.
fn readable<'a>(target: &Sweep, row: &'a Row) -> Option<&'a Scope> {
    row.scope.as_ref().filter(|_| target.variables)
}

fn is_delivered(seen: &Observed, row: &Row, id: CertificateId) -> bool {
    let variables = row.scope.as_ref().and_then(|scope| seen.facts.variables_in(scope));
    let pair = variables.and_then(|variables| variables.pair());
    pair.is_some_and(|(of, _)| of == id) && seen.facts.status(id) == Some(Status::Active)
}

/// Certificates that are not the device's are deactivated once more, and removed.
fn clear_due(seen: &Observed, row: &Row, now: UnixSeconds) -> Option<Step> {
    let of_device = [CertificateState::Delivering, CertificateState::Delivered];
    let others = row.certificates.iter().filter(|(_, of)| !of_device.contains(&of.state));
    let others: Vec<_> = others.map(|(id, _)| *id).collect();
    if seen.facts.end.is_none() {
        let step = remove::deactivation(seen, &others);
        if let Some(step) = step.or_else(|| remove::retirement(seen, row, others.clone(), now)) {
            return Some(step);
        }
    }
    let due = others.into_iter().filter(|id| row.certificates.get(id).is_some_and(remove::is_due));
    remove::removal(seen, due)
}

/// The sweep comes back for what is left, but not for a delivery that it cannot decide. That is reported first: no
/// later sweep sees the row.
fn release(target: &Sweep, seen: &Observed, row: Row, now: UnixSeconds) -> Step {
    let is_left = |of: &Certificate| matches!(of.state, CertificateState::Made | CertificateState::Due);
    let is_settled = row.pending.is_empty() && !row.certificates.values().any(is_left);
    let Some(id) = undecided(&row).filter(|_| is_settled) else { return seen.release(Write::Release, row, now) };
    let report = Report::DeliveryLeft(id);
    if readable(target, &row).is_none() && !seen.facts.reported.contains(&report) {
        return Step::Report(report);
    }
    let mut step = seen.release(Write::Release, row, now);
    if let Step::Write { row, .. } = &mut step {
        let failed = target.variables && seen.facts.end.is_some();
        row.due = failed.then(|| now.saturating_add(SWEEP_SECONDS));
    }
    step
}
