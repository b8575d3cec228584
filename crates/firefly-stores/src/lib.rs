//! The stores: one struct per table or bucket, and [`Registrations`], which works on two tables at once.
//!
//! A store is the AWS SDK's client and a name. It takes and returns domain types, and its errors say what happened; the
//! answer to a caller is chosen elsewhere. Stores that act for a device take [`VerifiedDevice`]: [`Devices`]
//! alone makes it, after signature and nonce. Those that act for an operator take
//! [`SuperUser`](firefly_core::group::SuperUser).

mod backup_versions;
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

pub use backup_versions::{BackupVersions, RestoredVersion, VersionId, VersionIdError, VersionPage};
pub use backups::{Backups, EnvelopeBytes, StoredBackup, WrittenBackup};
pub use devices::{
    AdmitError, Cursor, CursorError, DeviceFilter, DevicePage, Devices, ListError, RegisteredDevice, Registration,
    VerifiedDevice,
};
pub use error::StoreError;
pub use registration_keys::{ListedKey, MintError, NewKey, RegistrationKeys};
pub use registrations::{RegisterError, Registered, Registrations};
