//! The records of an account.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All records of an account, by their ids.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    pub(crate) user_key: String,
    pub(crate) last_id: u64,
    pub(crate) fleets: BTreeMap<u64, Fleet>,
    pub(crate) services: BTreeMap<u64, Service>,
    pub(crate) devices: BTreeMap<u64, DeviceRecord>,
    pub(crate) installs: BTreeMap<u64, Install>,
    pub(crate) device_variables: BTreeMap<u64, VariableRecord>,
    pub(crate) service_variables: BTreeMap<u64, VariableRecord>,
}

/// A fleet, which the API calls an application.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fleet {
    pub(crate) uuid: String,
    pub(crate) name: String,
}

/// A service of a fleet.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    pub(crate) fleet: u64,
    pub(crate) name: String,
}

/// A device.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceRecord {
    pub(crate) uuid: String,
    pub(crate) fleet: u64,
    pub(crate) api_key: String,
    pub(crate) public_address: Option<String>,
    pub(crate) is_frozen: bool,
    pub(crate) is_online: bool,
}

/// A service that is installed on a device.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Install {
    pub(crate) device: u64,
    pub(crate) service: u64,
}

/// A variable; `of` is a device or an install.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VariableRecord {
    pub(crate) of: u64,
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Draws a key or UUID: 32 hexadecimal digits of the operating system's generator.
pub(crate) fn draw() -> String {
    format!("{:032x}", rand::random::<u128>())
}

impl State {
    /// An account without records, and a key of its user.
    pub(crate) fn new() -> Self {
        Self {
            user_key: draw(),
            last_id: 0,
            fleets: BTreeMap::new(),
            services: BTreeMap::new(),
            devices: BTreeMap::new(),
            installs: BTreeMap::new(),
            device_variables: BTreeMap::new(),
            service_variables: BTreeMap::new(),
        }
    }

    /// An id that no record has had.
    pub(crate) const fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The id of the device with this UUID.
    pub(crate) fn device_id(&self, uuid: &str) -> Option<u64> {
        self.devices.iter().find_map(|(id, device)| (device.uuid == uuid).then_some(*id))
    }

    /// The id of the service of a fleet with this name.
    pub(crate) fn service_id(&self, fleet: u64, name: &str) -> Option<u64> {
        self.services.iter().find_map(|(id, service)| (service.fleet == fleet && service.name == name).then_some(*id))
    }

    /// Installs a service on a device; `None` if it is installed already.
    pub(crate) fn install(&mut self, device: u64, service: u64) -> Option<u64> {
        if self.installs.values().any(|install| install.device == device && install.service == service) {
            return None;
        }
        let id = self.next_id();
        self.installs.insert(id, Install { device, service });
        Some(id)
    }

    /// Removes those installs, and their variables, that `keep` does not want.
    pub(crate) fn retain_installs(&mut self, keep: impl Fn(&Install) -> bool) {
        self.installs.retain(|_, install| keep(install));
        let installs = &self.installs;
        self.service_variables.retain(|_, variable| installs.contains_key(&variable.of));
    }

    /// Removes a device with its installs and variables.
    pub(crate) fn delete_device(&mut self, id: u64) {
        self.devices.remove(&id);
        self.device_variables.retain(|_, variable| variable.of != id);
        self.retain_installs(|install| install.device != id);
    }
}
