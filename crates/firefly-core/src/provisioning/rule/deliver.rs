//! A certificate and its key reach the variables of a balena device.
//!
//! No instant shows a certificate with another's key: `AWS_CERT` is deleted before `AWS_PRIVATE_KEY` is set, and set
//! after it.

use super::observed::{Observed, others};
use crate::{
    provisioning::{
        certificate::CertificateId,
        name::Scope,
        row::{CertificateState, Row, State},
        step::{Step, Write},
        variables::{Value, Variable, Variables},
    },
    time::UnixSeconds,
};

/// The write that proves the lease. The other certificates, which are inactive by now, become `due`.
pub(super) fn fence(seen: &Observed, row: &Row, id: CertificateId, now: UnixSeconds) -> Step {
    let mut row = row.clone();
    let others: Vec<_> = others(&row, id).collect();
    seen.retire(&mut row, others, now);
    seen.write(Write::Fence, row, now)
}

/// Deletes the variables of the scope that the row has, if the new ones have another.
pub(super) fn clear_old_scope(
    seen: &Observed,
    row: &Row,
    id: CertificateId,
    scope: &Scope,
    now: UnixSeconds,
) -> Option<Step> {
    let old = row.scope.as_ref().filter(|old| *old != scope)?;
    let is_left = |variable: &Variable| !seen.facts.deleted.contains(&(old.clone(), *variable));
    let variable = [Variable::Certificate, Variable::PrivateKey].into_iter().find(is_left)?;
    if variable == Variable::Certificate && !seen.facts.is_fenced {
        return Some(fence(seen, row, id, now));
    }
    Some(Step::DeleteVariable(variable, old.clone()))
}

/// The next step of the delivery of the certificate `id`, which is active and made by this run.
pub(super) fn next(seen: &Observed, row: &Row, id: CertificateId, scope: &Scope, now: UnixSeconds) -> Step {
    let Some(variables) = seen.facts.variables_in(scope) else { return Step::ReadVariables(scope.clone()) };
    let is_delivering = row.certificates.get(&id).is_some_and(|of| of.state == CertificateState::Delivering);
    if !is_delivering || row.scope.as_ref() != Some(scope) {
        let mut row = row.clone();
        row.scope = Some(scope.clone());
        if let Some(of) = row.certificates.get_mut(&id) {
            of.state = CertificateState::Delivering;
        }
        return seen.write(Write::Deliver, row, now);
    }
    let is_ours = |variables: &Variables| variables.pair().is_some_and(|(of, _)| of == id);
    let has_key = match variables.key {
        Value::Of(key) => seen.facts.pem(id).is_some_and(|pem| pem.key() == key),
        _ => false,
    };
    match variables.certificate {
        _ if is_ours(variables) && seen.facts.is_read_back => finish(seen, row, id, now),
        _ if is_ours(variables) => Step::ReadVariables(scope.clone()),
        Value::Absent if has_key => Step::SetVariable(Variable::Certificate, scope.clone()),
        Value::Absent => Step::SetVariable(Variable::PrivateKey, scope.clone()),
        _ => Step::DeleteVariable(Variable::Certificate, scope.clone()),
    }
}

/// After a failure: the variables are looked at once more. A pair is kept, and anything else is deleted.
pub(super) fn clean(seen: &Observed, row: &Row, id: CertificateId, scope: &Scope, now: UnixSeconds) -> Option<Step> {
    let is_delivering = row.certificates.get(&id).is_some_and(|of| of.state == CertificateState::Delivering);
    if !is_delivering || seen.facts.is_cleaning_over {
        return None;
    }
    let Some(variables) = seen.facts.variables_in(scope) else { return Some(Step::ReadVariables(scope.clone())) };
    if variables.pair().is_some_and(|(of, _)| of == id) {
        return Some(finish(seen, row, id, now));
    }
    deletion(variables, scope)
}

/// Deletes whatever variable there is, the certificate first.
pub(super) fn deletion(variables: &Variables, scope: &Scope) -> Option<Step> {
    if variables.certificate != Value::Absent {
        return Some(Step::DeleteVariable(Variable::Certificate, scope.clone()));
    }
    (variables.key != Value::Absent).then(|| Step::DeleteVariable(Variable::PrivateKey, scope.clone()))
}

/// The device has the certificate `id`.
pub(super) fn finish(seen: &Observed, row: &Row, id: CertificateId, now: UnixSeconds) -> Step {
    let mut row = row.clone();
    if seen.facts.made.is_none() {
        row.unissue();
    }
    if let Some(of) = row.certificates.get_mut(&id) {
        of.state = CertificateState::Delivered;
        of.key = of.key.or_else(|| seen.facts.pem(id).map(|pem| pem.key()));
    }
    let others: Vec<_> = others(&row, id).collect();
    seen.retire(&mut row, others, now);
    row.state = State::Done;
    row.certificate_pem = seen.facts.pem(id).map(|pem| pem.as_str().to_owned());
    if let Some((scope, _)) = &seen.facts.variables {
        row.scope = Some(scope.clone());
    }
    seen.release(Write::Finish, row, now)
}
