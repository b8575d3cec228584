//! The stores: one struct per table or bucket, and [`Registrations`], which works on two tables at once.
//!
//! A store is the AWS SDK's client and a name. It takes and returns domain types, and its errors say what happened; the
//! answer to a caller is chosen elsewhere. Stores that act for a device take [`VerifiedDevice`]: [`Devices`]
//! alone makes it, after signature and nonce.

mod backups;
mod cancellation;
mod devices;
pub mod dynamodb;
mod error;
#[cfg(test)]
mod frankfurt;
mod item;
mod live_keys;
mod race;
mod registration_keys;
mod registrations;
pub mod s3;

pub use backups::{Backups, EnvelopeBytes, StoredBackup};
pub use devices::{AdmitError, Cursor, CursorError, DevicePage, Devices, ListError, Registration, VerifiedDevice};
pub use error::StoreError;
pub use registration_keys::{ListedKey, MintError, NewKey, RegistrationKeys};
pub use registrations::{RegisterError, Registered, Registrations};
