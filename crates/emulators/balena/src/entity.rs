//! The resources of the API, their members, and the records behind them.

use serde_json::Value;

use crate::state::State;

/// The resources that the API has here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Application,
    Device,
    DeviceVariable,
    Service,
    ServiceInstall,
    ServiceVariable,
}

/// The kind of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text, number, truth value or null.
    Value,
    /// One record of another resource; without `$expand` its id.
    One(Resource),
    /// Any number of records of another resource, which `$expand` alone shows.
    Many(Resource),
    /// Records of a resource that the emulator does not have: always an empty list.
    Nothing,
}

/// A record of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entity {
    pub(crate) resource: Resource,
    pub(crate) id: u64,
}

type Schema = &'static [(&'static str, Kind)];

const APPLICATION: Schema = &[
    ("id", Kind::Value),
    ("uuid", Kind::Value),
    ("app_name", Kind::Value),
    ("slug", Kind::Value),
    ("owns__device", Kind::Many(Resource::Device)),
    ("service", Kind::Many(Resource::Service)),
];

const DEVICE: Schema = &[
    ("id", Kind::Value),
    ("uuid", Kind::Value),
    ("device_name", Kind::Value),
    ("public_address", Kind::Value),
    ("is_online", Kind::Value),
    ("is_connected_to_vpn", Kind::Value),
    ("is_frozen", Kind::Value),
    ("belongs_to__application", Kind::One(Resource::Application)),
    ("service_install", Kind::Many(Resource::ServiceInstall)),
    ("device_environment_variable", Kind::Many(Resource::DeviceVariable)),
    ("image_install", Kind::Nothing),
];

const SERVICE: Schema = &[
    ("id", Kind::Value),
    ("service_name", Kind::Value),
    ("application", Kind::One(Resource::Application)),
    ("service_install", Kind::Many(Resource::ServiceInstall)),
];

const SERVICE_INSTALL: Schema = &[
    ("id", Kind::Value),
    ("device", Kind::One(Resource::Device)),
    ("installs__service", Kind::One(Resource::Service)),
    ("device_service_environment_variable", Kind::Many(Resource::ServiceVariable)),
];

const DEVICE_VARIABLE: Schema =
    &[("id", Kind::Value), ("name", Kind::Value), ("value", Kind::Value), ("device", Kind::One(Resource::Device))];

const SERVICE_VARIABLE: Schema = &[
    ("id", Kind::Value),
    ("name", Kind::Value),
    ("value", Kind::Value),
    ("service_install", Kind::One(Resource::ServiceInstall)),
];

impl Resource {
    /// The resource with this name in URLs.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "application" => Self::Application,
            "device" => Self::Device,
            "device_environment_variable" => Self::DeviceVariable,
            "service" => Self::Service,
            "service_install" => Self::ServiceInstall,
            "device_service_environment_variable" => Self::ServiceVariable,
            _ => return None,
        })
    }

    /// The members, in the order in which rows show them.
    pub(crate) const fn members(self) -> Schema {
        match self {
            Self::Application => APPLICATION,
            Self::Device => DEVICE,
            Self::DeviceVariable => DEVICE_VARIABLE,
            Self::Service => SERVICE,
            Self::ServiceInstall => SERVICE_INSTALL,
            Self::ServiceVariable => SERVICE_VARIABLE,
        }
    }

    /// The member with this name. A service install has its service also as `service`, as SDK 16 asks for it.
    pub(crate) fn member(self, name: &str) -> Option<(&'static str, Kind)> {
        let name = if self == Self::ServiceInstall && name == "service" { "installs__service" } else { name };
        self.members().iter().copied().find(|(known, _)| *known == name)
    }

    const fn entity(self, id: u64) -> Entity {
        Entity { resource: self, id }
    }

    /// All records, by their ids.
    pub(crate) fn all(self, state: &State) -> Vec<Entity> {
        let ids: Vec<u64> = match self {
            Self::Application => state.fleets.keys().copied().collect(),
            Self::Device => state.devices.keys().copied().collect(),
            Self::DeviceVariable => state.device_variables.keys().copied().collect(),
            Self::Service => state.services.keys().copied().collect(),
            Self::ServiceInstall => state.installs.keys().copied().collect(),
            Self::ServiceVariable => state.service_variables.keys().copied().collect(),
        };
        ids.into_iter().map(|id| self.entity(id)).collect()
    }
}

impl Entity {
    /// The value of a member of the kind [`Kind::Value`]; null where there is none.
    pub(crate) fn value(self, state: &State, member: &str) -> Value {
        if member == "id" {
            return self.id.into();
        }
        match self.resource {
            Resource::Application => state.fleets.get(&self.id).map(|fleet| match member {
                "uuid" => fleet.uuid.clone().into(),
                "app_name" => fleet.name.clone().into(),
                "slug" => format!("user/{}", fleet.name.to_lowercase()).into(),
                _ => Value::Null,
            }),
            Resource::Device => state.devices.get(&self.id).map(|device| match member {
                "uuid" => device.uuid.clone().into(),
                "device_name" => device.uuid.chars().take(7).collect::<String>().into(),
                "public_address" => device.public_address.clone().into(),
                "is_online" | "is_connected_to_vpn" => device.is_online.into(),
                "is_frozen" => device.is_frozen.into(),
                _ => Value::Null,
            }),
            Resource::Service => state.services.get(&self.id).map(|service| service.name.clone().into()),
            Resource::ServiceInstall => None,
            Resource::DeviceVariable | Resource::ServiceVariable => {
                let variables = match self.resource {
                    Resource::DeviceVariable => &state.device_variables,
                    _ => &state.service_variables,
                };
                variables.get(&self.id).map(|variable| match member {
                    "name" => variable.name.clone().into(),
                    _ => variable.value.clone().into(),
                })
            }
        }
        .unwrap_or_default()
    }

    /// The record that a member of the kind [`Kind::One`] names.
    pub(crate) fn one(self, state: &State, member: &str) -> Option<Self> {
        match self.resource {
            Resource::Application => None,
            Resource::Device => state.devices.get(&self.id).map(|device| Resource::Application.entity(device.fleet)),
            Resource::Service => {
                state.services.get(&self.id).map(|service| Resource::Application.entity(service.fleet))
            }
            Resource::ServiceInstall => state.installs.get(&self.id).map(|install| match member {
                "device" => Resource::Device.entity(install.device),
                _ => Resource::Service.entity(install.service),
            }),
            Resource::DeviceVariable => {
                state.device_variables.get(&self.id).map(|variable| Resource::Device.entity(variable.of))
            }
            Resource::ServiceVariable => {
                state.service_variables.get(&self.id).map(|variable| Resource::ServiceInstall.entity(variable.of))
            }
        }
    }

    /// The records of `resource` that name this one.
    pub(crate) fn many(self, state: &State, resource: Resource) -> Vec<Self> {
        let names_this = |entity: &Self| {
            resource
                .members()
                .iter()
                .any(|(member, kind)| *kind == Kind::One(self.resource) && entity.one(state, member) == Some(self))
        };
        resource.all(state).into_iter().filter(names_this).collect()
    }
}
