//! The number of files that the process may open, and the connections that it allows.
//!
//! A connection is a file, and a function's call to an emulator is two: both ends are in this process.

use std::time::Duration;

use emulator_kit::{Deadlines, Limits};

/// The most files that are asked for: as many as serve some ten thousand controllers at once.
const WANTED: u64 = 65_536;
/// Files that do not depend on the load: the database, locks, listeners, standard streams, the runtimes' own.
const BASE: u64 = 64;
/// Files of one invocation: both ends of two connections to DynamoDB and of one to S3, an object, one to spare.
const PER_INVOCATION: u64 = 8;
/// A client of the gateway may be on a slow network.
const GATEWAY_PATIENCE: Duration = Duration::from_secs(2);
/// The functions are in this process and wait two seconds for DynamoDB's answer, connecting included.
const EMULATOR_PATIENCE: Duration = Duration::from_millis(200);
/// DynamoDB, S3 and AppConfig.
const EMULATORS: u64 = 3;
/// Most invocations at a time.
const MOST_INVOCATIONS: u64 = 64;
/// The fewest files with which a cloud starts: with fewer, requests are lost.
pub const FEWEST: u64 = 128;
/// The fewest files with which no connection has to wait for another but at a load that no machine serves.
pub const ENOUGH: u64 = 4_096;

/// Raises the soft limit of open files as far as the hard one and the system allow, and returns it.
#[must_use]
pub fn raise_limit() -> u64 {
    // Where the limit cannot be read, the listeners say when it is reached.
    rlimit::increase_nofile_limit(WANTED).unwrap_or(ENOUGH)
}

/// The shares of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    /// Invocations at a time.
    pub(crate) invocations: usize,
    /// The gateway's connections.
    pub(crate) gateway: Limits,
    /// Each emulator's connections, enough for all invocations. Idle ones of the functions' clients are kept as far as
    /// files allow.
    pub(crate) emulator: Limits,
}

impl Shares {
    /// The shares of so many files.
    pub(crate) fn of(files: u64, deadlines: Deadlines) -> Self {
        let free = files.saturating_sub(BASE);
        let invocations = (free / 2 / PER_INVOCATION).clamp(4, MOST_INVOCATIONS);
        // An emulator has two connections of each invocation at the most, and its own share of what is plenty.
        let emulator = (2 * invocations).max(files / 8);
        let emulators = if files < ENOUGH { 0 } else { EMULATORS * emulator };
        let connections = free.saturating_sub(invocations * PER_INVOCATION + emulators).max(4);
        let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Self {
            invocations: number(invocations),
            gateway: Limits {
                deadlines,
                connections: number(connections),
                patience: GATEWAY_PATIENCE,
                kept_alive: number(connections / 2),
            },
            emulator: Limits {
                deadlines,
                connections: number(emulator),
                patience: EMULATOR_PATIENCE,
                kept_alive: number(if files < ENOUGH { invocations } else { emulator / 2 }),
            },
        }
    }
}
