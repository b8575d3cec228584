//! Policies attached to certificates.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::input::Input;
use crate::misbehaviour::Attached;
use crate::page::Page;
use crate::record::Change;
use crate::refusal::{Kind, Refusal};
use crate::view::{Done, View};

/// Most policies of a certificate (AWS IoT Core quotas).
const MAX_POLICIES: usize = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    target: String,
}

pub(crate) fn attach(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let name = input.policy_name()?;
    let Target { target } = input.json()?;
    let id = view.place.certificate_id(&target)?;
    view.policy(name)?;
    let mut certificate = view.certificate(id)?.clone();
    if !certificate.policies.insert(name.to_owned()) {
        return Ok(Done::read(Value::Null));
    }
    if certificate.policies.len() > MAX_POLICIES {
        let message = format!("The maximum number of policies per principal is {MAX_POLICIES}");
        return Err(Refusal::new(Kind::LimitExceeded, message));
    }
    Ok(Done::changed(Change::Certificate(Box::new(certificate)), Value::Null))
}

pub(crate) fn detach(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let name = input.policy_name()?;
    let Target { target } = input.json()?;
    let id = view.place.certificate_id(&target)?;
    // The model has no ResourceNotFoundException here: there is nothing to detach.
    let Some(mut certificate) = view.state.certificate(id).cloned() else {
        return Ok(Done::read(Value::Null));
    };
    if !certificate.policies.remove(name) {
        return Ok(Done::read(Value::Null));
    }
    let detached = Some((id.to_owned(), Attached::Policy(name.to_owned())));
    Ok(Done { detached, ..Done::changed(Change::Certificate(Box::new(certificate)), Value::Null) })
}

/// ListAttachedPolicies.
pub(crate) fn list_policies(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let page = Page::of_policies(input)?;
    // There are no groups whose policies a certificate could inherit.
    input.flag("recursive")?;
    input.no_body()?;
    let certificate = view.certificate(view.place.certificate_id(input.capture(0))?)?;
    let item = |name: String| {
        let item = json!({ "policyName": name, "policyArn": view.place.policy_arn(&name) });
        (name, item)
    };
    Ok(Done::read(page.by_key("policies", true, view.policies_of(certificate).into_iter().map(item))))
}

/// ListTargetsForPolicy.
pub(crate) fn list_targets(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let (name, page) = (input.policy_name()?, Page::of_policies(input)?);
    input.no_body()?;
    view.policy(name)?;
    let item = |id: String| {
        let arn = json!(view.place.certificate_arn(&id));
        (id, arn)
    };
    Ok(Done::read(page.by_key("targets", true, view.certificates_of_policy(name).into_iter().map(item))))
}
