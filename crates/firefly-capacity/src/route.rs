//! The routes that a fleet calls, and what a request to each uses.

use std::fmt;

/// A route that controllers and installers call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FleetRoute {
    /// `POST /registration-keys`.
    KeyCreation,
    /// `POST /devices/register`.
    Registration,
    /// `GET /devices/{uuid}/registration`.
    BootCheck,
    /// `POST /devices/{uuid}/backup`.
    Upload,
    /// `GET /devices/{uuid}/backup`.
    Restore,
}

/// The resources that one request uses beside its duration.
///
/// Rows of devices count with 1 to 2 KB, replay records with up to 1 KB and envelopes with up to 512 KB. A write unit is
/// 1 KB, twice that in a transaction; a read unit is 4 KB, read consistently. Source: DynamoDB Developer Guide,
/// "DynamoDB on-demand capacity mode".
pub(crate) struct Usage {
    /// The memory of the function, in MiB, as its `function.toml` has it.
    pub(crate) memory_mib: f64,
    pub(crate) write_units: f64,
    pub(crate) read_units: f64,
    /// PUT requests of S3.
    pub(crate) puts: f64,
    /// GET requests of S3.
    pub(crate) gets: f64,
}

impl FleetRoute {
    /// Every route.
    pub const ALL: [Self; 5] = [Self::KeyCreation, Self::Registration, Self::BootCheck, Self::Upload, Self::Restore];

    pub(crate) const fn usage(self) -> Usage {
        let (memory_mib, write_units, read_units, puts, gets) = match self {
            // One transaction writes the key and the user's item, which is read before.
            Self::KeyCreation => (256.0, 4.0, 1.0, 0.0, 0.0),
            // The guess and its return; a transaction of the row (2 KB) and the key; the index; the user's item.
            Self::Registration => (256.0, 10.0, 3.0, 0.0, 0.0),
            // The nonce.
            Self::BootCheck => (256.0, 1.0, 2.0, 0.0, 0.0),
            // The nonce and the date, which rewrites the row.
            Self::Upload => (512.0, 3.0, 2.0, 1.0, 0.0),
            // The nonce.
            Self::Restore => (512.0, 1.0, 2.0, 0.0, 1.0),
        };
        Usage { memory_mib, write_units, read_units, puts, gets }
    }
}

impl fmt::Display for FleetRoute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::KeyCreation => "key creation",
            Self::Registration => "registration",
            Self::BootCheck => "boot check",
            Self::Upload => "upload",
            Self::Restore => "restore",
        })
    }
}
