//! Requests that change records.

use serde::Deserialize;

use crate::access::Actor;
use crate::entity::{Entity, Resource};
use crate::filter::Filter;
use crate::refusal::Refusal;
use crate::rows::View;
use crate::state::{State, VariableRecord};
use crate::variable::{check_name, check_value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewDeviceVariable {
    device: u64,
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewServiceVariable {
    service_install: u64,
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewInstall {
    device: u64,
    #[serde(rename = "installs__service")]
    service: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewValue {
    value: String,
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::Malformed(format!("Malformed body: {error}")))
}

/// Creates a record of a body, which names its device or install. One that the caller does not see is refused as one that
/// does not exist.
///
/// # Errors
/// [`Refusal`].
pub(crate) fn create(state: &mut State, actor: Actor, resource: Resource, body: &[u8]) -> Result<Entity, Refusal> {
    let id = match resource {
        Resource::DeviceVariable => {
            let NewDeviceVariable { device, name, value } = read(body)?;
            let owner = Entity { resource: Resource::Device, id: device };
            variable(state, actor, owner, VariableRecord { of: device, name, value })
        }
        Resource::ServiceVariable => {
            let NewServiceVariable { service_install, name, value } = read(body)?;
            let owner = Entity { resource: Resource::ServiceInstall, id: service_install };
            variable(state, actor, owner, VariableRecord { of: service_install, name, value })
        }
        Resource::ServiceInstall => install(state, actor, &read(body)?),
        Resource::Application | Resource::Device | Resource::Service => Err(Refusal::Method),
    }?;
    Ok(Entity { resource, id })
}

/// Returns an error if a record does not exist or the caller does not see it.
fn require(state: &State, actor: Actor, entity: Entity) -> Result<(), Refusal> {
    let exists = entity.resource.all(state).contains(&entity);
    if exists && actor.sees(state, entity) { Ok(()) } else { Err(Refusal::Unauthorized) }
}

fn install(state: &mut State, actor: Actor, new: &NewInstall) -> Result<u64, Refusal> {
    require(state, actor, Entity { resource: Resource::Device, id: new.device })?;
    require(state, actor, Entity { resource: Resource::Service, id: new.service })?;
    let fleet = |id| state.services.get(&id).map(|service| service.fleet);
    let own = state.devices.get(&new.device).map(|device| device.fleet);
    if actor != Actor::User && fleet(new.service) != own {
        return Err(Refusal::Unauthorized);
    }
    let id = state.install(new.device, new.service);
    id.ok_or(Refusal::NotUnique("\"device\" and \"installs__service\" must be unique."))
}

fn variable(state: &mut State, actor: Actor, owner: Entity, new: VariableRecord) -> Result<u64, Refusal> {
    check_name(&new.name).and_then(|()| check_value(&new.value)).map_err(Refusal::Malformed)?;
    require(state, actor, owner)?;
    let id = state.next_id();
    let (variables, text) = match owner.resource {
        Resource::Device => (&mut state.device_variables, "\"device\" and \"name\" must be unique."),
        _ => (&mut state.service_variables, "\"service_install\" and \"name\" must be unique."),
    };
    if variables.values().any(|variable| variable.of == new.of && variable.name == new.name) {
        return Err(Refusal::NotUnique(text));
    }
    variables.insert(id, new);
    Ok(id)
}

/// The records that a change is for. A change of all records of a resource is refused.
fn targets(
    state: &State,
    actor: Actor,
    resource: Resource,
    conditions: &[Option<&Filter>],
) -> Result<Vec<u64>, Refusal> {
    if conditions.iter().all(Option::is_none) {
        return Err(Refusal::Malformed("A change needs a key or a $filter".to_owned()));
    }
    let records = View { state, actor }.records(resource, conditions);
    Ok(records.into_iter().map(|entity| entity.id).collect())
}

/// Changes the value of the variables that meet the conditions.
///
/// # Errors
/// [`Refusal`].
pub(crate) fn update(
    state: &mut State,
    actor: Actor,
    resource: Resource,
    conditions: &[Option<&Filter>],
    body: &[u8],
) -> Result<(), Refusal> {
    if !matches!(resource, Resource::DeviceVariable | Resource::ServiceVariable) {
        return Err(Refusal::Method);
    }
    let NewValue { value } = read(body)?;
    check_value(&value).map_err(Refusal::Malformed)?;
    for id in targets(state, actor, resource, conditions)? {
        let variable = match resource {
            Resource::DeviceVariable => state.device_variables.get_mut(&id),
            _ => state.service_variables.get_mut(&id),
        };
        if let Some(variable) = variable {
            variable.value.clone_from(&value);
        }
    }
    Ok(())
}

/// Deletes the variables or installs that meet the conditions.
///
/// # Errors
/// [`Refusal`].
pub(crate) fn delete(
    state: &mut State,
    actor: Actor,
    resource: Resource,
    conditions: &[Option<&Filter>],
) -> Result<(), Refusal> {
    if matches!(resource, Resource::Application | Resource::Device | Resource::Service) {
        return Err(Refusal::Method);
    }
    let ids = targets(state, actor, resource, conditions)?;
    match resource {
        Resource::DeviceVariable => state.device_variables.retain(|id, _| !ids.contains(id)),
        Resource::ServiceVariable => state.service_variables.retain(|id, _| !ids.contains(id)),
        _ => {
            state.installs.retain(|id, _| !ids.contains(id));
            state.service_variables.retain(|_, variable| !ids.contains(&variable.of));
        }
    }
    Ok(())
}
