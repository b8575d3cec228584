//! The reasons for which an account does not take a change.

use crate::store::StoreError;

/// The reason for which an account does not take a change.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// A fleet has this id or name already.
    #[error("there is a fleet {id} or one named {name} already")]
    FleetExists {
        /// The id of the new one.
        id: u64,
        /// The name of the new one.
        name: String,
    },
    /// There is no fleet with this id.
    #[error("there is no fleet {id}")]
    UnknownFleet {
        /// The id.
        id: u64,
    },
    /// The UUID is not 32 lower-case hexadecimal digits.
    #[error("{uuid:?} is not 32 lower-case hexadecimal digits")]
    MalformedUuid {
        /// The text.
        uuid: String,
    },
    /// A device has this UUID already.
    #[error("there is a device {uuid} already")]
    DeviceExists {
        /// The UUID.
        uuid: String,
    },
    /// There is no device with this UUID.
    #[error("there is no device {uuid}")]
    UnknownDevice {
        /// The UUID.
        uuid: String,
    },
    /// The fleet has no service with this name.
    #[error("the fleet {fleet} has no service {name:?}")]
    UnknownService {
        /// The fleet.
        fleet: u64,
        /// The name.
        name: String,
    },
    /// The account cannot be stored. The change has not been made.
    #[error(transparent)]
    Store(#[from] StoreError),
}
