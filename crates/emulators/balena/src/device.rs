//! Devices and their variables, as the owner of an account sees them.

/// A device that is to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDevice {
    /// 32 lower-case hexadecimal digits.
    pub uuid: String,
    /// The id of its fleet, which the API calls an application.
    pub fleet: u64,
    /// The address that it is seen at, if it has been seen.
    pub public_address: Option<String>,
    /// The names of the fleet's services that are installed on it.
    pub installed: Vec<String>,
}

/// The id and the key of a device that was added.
#[derive(Clone)]
pub struct AddedDevice {
    /// The id.
    pub id: u64,
    /// The device API key: 32 hexadecimal digits.
    pub api_key: String,
}

/// A device.
#[derive(Clone)]
pub struct Device {
    /// The id.
    pub id: u64,
    /// 32 lower-case hexadecimal digits.
    pub uuid: String,
    /// The id of its fleet.
    pub fleet: u64,
    /// The device API key.
    pub api_key: String,
    /// The address that it is seen at, if it has been seen.
    pub public_address: Option<String>,
    /// The account does not pay for it: its key is refused.
    pub is_frozen: bool,
    /// It is connected to balena.
    pub is_online: bool,
    /// The names of the services that are installed on it.
    pub installed: Vec<String>,
}

/// A variable of a device.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variable {
    /// The name of its service; `None` for one that all services of the device have.
    pub service: Option<String>,
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

impl std::fmt::Debug for Variable {
    /// Writes all but the value, which may be a private key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Variable").field("service", &self.service).field("name", &self.name).finish_non_exhaustive()
    }
}

/// The answer to the key of a device that is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrozenKeys {
    /// 401 to everything.
    Refused,
    /// `whoami` is answered, every list is empty, and a new record is 401: as the public source of open-balena-api reads.
    SeeNothing,
}
