//! The callers of the API, and the records that each may see.

use subtle::ConstantTimeEq as _;

use crate::entity::{Entity, Resource};
use crate::state::State;

/// The owner of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    /// The account's user, who may do everything.
    User,
    /// A device, which may use its own records (`DEVICE_API_KEY_PERMISSIONS` of open-balena-api).
    Device(u64),
    /// A device that is frozen. It may know who it is, and nothing else.
    Frozen(u64),
}

impl Actor {
    /// The owner of this key. Keys are compared in constant time.
    pub(crate) fn of(state: &State, key: &str) -> Option<Self> {
        let is = |known: &str| bool::from(known.as_bytes().ct_eq(key.as_bytes()));
        if is(&state.user_key) {
            return Some(Self::User);
        }
        let (id, device) = state.devices.iter().find(|(_, device)| is(&device.api_key))?;
        Some(if device.is_frozen { Self::Frozen(*id) } else { Self::Device(*id) })
    }

    /// Returns `true` if the caller may read a record.
    pub(crate) fn sees(self, state: &State, entity: Entity) -> bool {
        let id = match self {
            Self::User => return true,
            Self::Frozen(_) => return false,
            Self::Device(id) => id,
        };
        let fleet = state.devices.get(&id).map(|device| device.fleet);
        let installed_here = |install: u64| state.installs.get(&install).is_some_and(|install| install.device == id);
        match entity.resource {
            Resource::Device => entity.id == id,
            Resource::Application => fleet == Some(entity.id),
            Resource::Service => {
                state.services.get(&entity.id).is_some_and(|service| Some(service.fleet) == fleet)
                    || state.installs.values().any(|install| install.device == id && install.service == entity.id)
            }
            Resource::ServiceInstall => installed_here(entity.id),
            Resource::DeviceVariable => {
                state.device_variables.get(&entity.id).is_some_and(|variable| variable.of == id)
            }
            Resource::ServiceVariable => {
                state.service_variables.get(&entity.id).is_some_and(|variable| installed_here(variable.of))
            }
        }
    }
}
