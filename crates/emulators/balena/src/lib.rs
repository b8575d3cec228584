//! The balena API on the loopback interface: devices, fleets, services and their variables.
//!
//! An [`Account`] holds them, durably or in memory, and [`serve`] answers requests over it: lists as OData writes them, with
//! the permissions of user keys and of device keys. The page `docs/emulators/balena.md` tells what differs from balena.
//!
//! Source: balena API reference; the public source of open-balena-api.

mod access;
mod account;
mod account_error;
mod change;
mod device;
mod entity;
mod filter;
mod http_api;
mod name;
mod query;
mod refusal;
mod rows;
mod state;
mod store;
mod tokens;
mod variable;

pub use account::Account;
pub use account_error::AccountError;
pub use device::{AddedDevice, Device, FrozenKeys, NewDevice, Variable};
pub use http_api::serve;
pub use store::StoreError;
