//! Certificates attached to Things.

use serde_json::{Value, json};

use crate::input::Input;
use crate::misbehaviour::Attached;
use crate::page::Page;
use crate::record::{Certificate, Change, PrincipalType};
use crate::refusal::Refusal;
use crate::view::{Done, View};

pub(crate) fn attach(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let (name, id) = (input.thing_name()?, view.place.certificate_id(input.principal()?)?);
    input.no_body()?;
    let kind = principal_type(input)?.unwrap_or(PrincipalType::NonExclusiveThing);
    view.thing(name)?;
    let certificate = view.certificate(id)?;
    if certificate.things.get(name) == Some(&kind) {
        return Ok(Done::nothing());
    }
    let mut others = certificate.things.iter().filter(|(other, _)| *other != name);
    let exclusively = |kind| kind == PrincipalType::ExclusiveThing;
    if let Some((other, _)) = others.find(|(_, theirs)| exclusively(kind) || exclusively(**theirs)) {
        let message =
            format!("The principal is attached to Thing {other}, and one of the two attachments is exclusive");
        return Err(Refusal::invalid(message));
    }
    if certificate.things.contains_key(name) {
        let message = format!("The principal is attached to Thing {name} with another thingPrincipalType");
        return Err(Refusal::invalid(message));
    }
    let mut certificate = certificate.clone();
    certificate.things.insert(name.to_owned(), kind);
    Ok(Done::changed(Change::Certificate(Box::new(certificate)), json!({})))
}

pub(crate) fn detach(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let (name, id) = (input.thing_name()?, view.place.certificate_id(input.principal()?)?);
    input.no_body()?;
    view.thing(name)?;
    let mut certificate = view.certificate(id)?.clone();
    let Some(kind) = certificate.things.remove(name) else {
        return Ok(Done::nothing());
    };
    let change = Change::Certificate(Box::new(certificate));
    let detached = Some((id.to_owned(), Attached::Thing(name.to_owned(), kind)));
    Ok(Done { detached, ..Done::changed(change, json!({})) })
}

/// ListThingPrincipals.
pub(crate) fn list_principals(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    principals(view, input, "principals", |arn, _| json!(arn))
}

/// ListThingPrincipalsV2.
pub(crate) fn list_principal_objects(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let item = |arn, kind| json!({ "principal": arn, "thingPrincipalType": kind });
    principals(view, input, "thingPrincipalObjects", item)
}

fn principals(
    view: &View<'_>,
    input: &Input,
    list: &str,
    item: impl Fn(String, PrincipalType) -> Value,
) -> Result<Done, Refusal> {
    let (name, page, wanted) = (input.thing_name()?, Page::of_things(input)?, principal_type(input)?);
    view.thing(name)?;
    let found = view.certificates_of_thing(name).into_iter().filter(|(_, kind)| wanted.is_none_or(|it| it == *kind));
    let items = found.map(|(id, kind)| (id.clone(), item(view.place.certificate_arn(&id), kind)));
    Ok(Done::read(page.by_key(list, true, items)))
}

/// ListPrincipalThings.
pub(crate) fn list_things(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    things(view, input, "things", |name, _| json!(name))
}

/// ListPrincipalThingsV2.
pub(crate) fn list_thing_objects(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let item = |name: &str, kind| json!({ "thingName": name, "thingPrincipalType": kind });
    things(view, input, "principalThingObjects", item)
}

fn things(
    view: &View<'_>,
    input: &Input,
    list: &str,
    item: impl Fn(&str, PrincipalType) -> Value,
) -> Result<Done, Refusal> {
    let (page, wanted) = (Page::of_things(input)?, principal_type(input)?);
    let certificate: &Certificate = view.certificate(view.place.certificate_id(input.principal()?)?)?;
    let found = view.things_of(certificate).into_iter().filter(|(_, kind)| wanted.is_none_or(|it| it == *kind));
    let items = found.map(|(name, kind)| (name.clone(), item(&name, kind)));
    Ok(Done::read(page.by_key(list, true, items)))
}

fn principal_type(input: &Input) -> Result<Option<PrincipalType>, Refusal> {
    match input.query("thingPrincipalType") {
        None => Ok(None),
        Some("EXCLUSIVE_THING") => Ok(Some(PrincipalType::ExclusiveThing)),
        Some("NON_EXCLUSIVE_THING") => Ok(Some(PrincipalType::NonExclusiveThing)),
        Some(other) => Err(Refusal::invalid(format!("{other:?} is not a thingPrincipalType"))),
    }
}
