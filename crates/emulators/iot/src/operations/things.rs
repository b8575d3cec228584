//! Things.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::input::{Input, check};
use crate::page::Page;
use crate::record::{Change, Thing};
use crate::refusal::{Kind, Refusal};
use crate::view::{Done, View};

/// Most attributes of a Thing without a type (AWS IoT Core quotas).
const MAX_ATTRIBUTES: usize = 3;

/// Longest name and longest value of an attribute, in characters.
const MAX_NAME: usize = 128;
const MAX_VALUE: usize = 800;

type Attributes = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateThing {
    thing_type_name: Option<String>,
    attribute_payload: Option<AttributePayload>,
    billing_group_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateThing {
    thing_type_name: Option<String>,
    attribute_payload: Option<AttributePayload>,
    expected_version: Option<u64>,
    remove_thing_type: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AttributePayload {
    attributes: Option<Attributes>,
    merge: Option<bool>,
}

pub(crate) fn create(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let name = input.thing_name()?;
    let CreateThing { thing_type_name, attribute_payload, billing_group_name } = input.json()?;
    no_such_type(thing_type_name)?;
    if let Some(group) = billing_group_name {
        return Err(Refusal::not_found(format!("Billing group {group} not found.")));
    }
    let AttributePayload { attributes, merge } = attribute_payload.unwrap_or_default();
    if merge.is_some() {
        return Err(Refusal::invalid("merge is only valid when calling UpdateThing"));
    }
    let attributes = attributes.unwrap_or_default();
    check_attributes(&attributes)?;
    if let Some(name) = attributes.iter().find_map(|(name, value)| value.is_empty().then_some(name)) {
        return Err(Refusal::invalid(format!("the attribute {name:?} has no value")));
    }
    let arn = view.place.thing_arn(name);
    let answer = |thing: &Thing| json!({ "thingName": name, "thingArn": arn, "thingId": thing.id });
    match view.state.thing(name) {
        Some(thing) if thing.attributes == attributes => Ok(Done::read(answer(thing))),
        Some(_) => {
            let message = format!("Thing {name} already exists in account with different attributes");
            Err(Refusal::exists(message, name, arn))
        }
        None => {
            let id = uuid::Uuid::new_v4().to_string();
            let thing = Thing { name: name.to_owned(), id, version: 1, attributes };
            let answer = answer(&thing);
            Ok(Done::changed(Change::Thing(thing), answer))
        }
    }
}

pub(crate) fn describe(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let thing = view.thing(input.thing_name()?)?;
    Ok(Done::read(json!({
        "defaultClientId": thing.name,
        "thingName": thing.name,
        "thingId": thing.id,
        "thingArn": view.place.thing_arn(&thing.name),
        "attributes": thing.attributes,
        "version": thing.version,
    })))
}

pub(crate) fn update(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let name = input.thing_name()?;
    let UpdateThing { thing_type_name, attribute_payload, expected_version, remove_thing_type } = input.json()?;
    let thing = view.thing(name)?;
    no_such_type(thing_type_name)?;
    check_version(thing, expected_version)?;
    // A Thing has no type: there is nothing to remove.
    let _ = remove_thing_type;
    let mut attributes = thing.attributes.clone();
    if let Some(AttributePayload { attributes: Some(new), merge }) = attribute_payload {
        check_attributes(&new)?;
        if merge != Some(true) {
            attributes.clear();
        }
        attributes.extend(new);
        attributes.retain(|_, value| !value.is_empty());
    }
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(too_many());
    }
    let version = thing.version + 1;
    Ok(Done::changed(Change::Thing(Thing { version, attributes, ..thing.clone() }), json!({})))
}

pub(crate) fn delete(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let name = input.thing_name()?;
    let expected = input.number("expectedVersion")?;
    let Some(thing) = view.state.thing(name) else {
        return Ok(Done::nothing());
    };
    check_version(thing, expected)?;
    if !view.certificates_of_thing(name).is_empty() {
        let message = format!("Cannot delete. Thing {name} is still attached to one or more principals");
        return Err(Refusal::invalid(message));
    }
    Ok(Done::changed(Change::ThingDeleted(name.to_owned()), json!({})))
}

pub(crate) fn list(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let page = Page::of_things(input)?;
    let (name, value) = (input.query("attributeName"), input.query("attributeValue"));
    if name.is_none() && value.is_some() {
        return Err(Refusal::invalid("attributeValue needs an attributeName"));
    }
    let is_prefix = input.flag("usePrefixAttributeValue")?;
    if is_prefix && value.is_none() {
        return Err(Refusal::invalid("usePrefixAttributeValue needs an attributeValue"));
    }
    let matches = |thing: &Thing| match (name, value) {
        (None, _) => true,
        (Some(name), None) => thing.attributes.contains_key(name),
        (Some(name), Some(value)) => thing
            .attributes
            .get(name)
            .is_some_and(|found| if is_prefix { found.starts_with(value) } else { found == value }),
    };
    // A Thing has no type.
    let typed = input.query("thingTypeName").is_some();
    let things = view.state.things().values().filter(|thing| !typed && matches(thing));
    let item = |thing: &Thing| -> Value {
        json!({
            "thingName": thing.name,
            "thingArn": view.place.thing_arn(&thing.name),
            "attributes": thing.attributes,
            "version": thing.version,
        })
    };
    Ok(Done::read(page.by_key("things", true, things.map(|thing| (thing.name.clone(), item(thing))))))
}

fn no_such_type(name: Option<String>) -> Result<(), Refusal> {
    name.map_or(Ok(()), |name| Err(Refusal::not_found(format!("Thing type {name} not found."))))
}

fn check_version(thing: &Thing, expected: Option<u64>) -> Result<(), Refusal> {
    match expected {
        Some(expected) if expected != thing.version => {
            let message = format!("The Thing has version {}, not {expected}", thing.version);
            Err(Refusal::new(Kind::VersionConflict, message))
        }
        _ => Ok(()),
    }
}

fn check_attributes(attributes: &Attributes) -> Result<(), Refusal> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(too_many());
    }
    for (name, value) in attributes {
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.,@/:#-".contains(&byte);
        check("attributes", name, MAX_NAME, "[a-zA-Z0-9_.,@/:#-]+", of_name)?;
        if !value.is_empty() {
            let of_value = |byte: u8| byte.is_ascii_alphanumeric() || b"_.,@/:#=[]-".contains(&byte);
            check("attributes", value, MAX_VALUE, r"[a-zA-Z0-9_.,@/:#=\[\]-]*", of_value)?;
        }
    }
    Ok(())
}

fn too_many() -> Refusal {
    Refusal::invalid(format!("A Thing without a type has at most {MAX_ATTRIBUTES} attributes"))
}
