//! The targets of runs.

use crate::{
    provisioning::{
        certificate::PublicKeyDigest,
        name::{PolicyName, Scope},
        step::Found,
    },
    time::UnixSeconds,
};

/// The aim of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The device is to have an identity.
    Provision(Provision),
    /// The device is to have none.
    Deprovision(Remover),
    /// Whatever another run has left half-done is to be finished.
    Sweep(Sweep),
}

/// The identity that a device is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provision {
    /// The policy of its certificate.
    pub policy: PolicyName,
    /// The digest of the public key: the registered one, or that of the pair made for this run.
    pub key: PublicKeyDigest,
    /// The way to the device.
    pub delivery: Delivery,
}

/// The way of a certificate to its device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The device has the key, and the certificate is in the answer.
    Answer,
    /// The device reads both from its variables. The key is that of this run: no other run can deliver it.
    Variables {
        /// The place of the variables.
        scope: Scope,
        /// A Thing without our attribute is taken over (`AdoptThings`).
        adopt: bool,
    },
}

/// The one who takes an identity back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remover {
    /// The device itself.
    Device {
        /// The device's key, which deletes its variables, is at hand.
        variables: bool,
    },
    /// An operator, also while another run is at work.
    Operator {
        /// The device may come back.
        forget: bool,
    },
}

/// A look at one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// This account can read and delete the variables of devices.
    pub variables: bool,
    /// The inactive certificates that no row names, as far as they were made after the oldest pending entry − 60 s.
    pub found: Vec<Found>,
    /// The search found every certificate of the entries that began no later.
    pub searched: UnixSeconds,
}
