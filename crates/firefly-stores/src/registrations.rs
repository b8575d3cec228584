//! The registration of devices, over the tables `firefly-devices` and `firefly-registration-keys`.

mod device_item;
mod transaction;
mod wrong_keys;

pub use transaction::{RegisterError, Registered, Registrations};
