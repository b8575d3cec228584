//! The entities of the registry as they are stored. Times are milliseconds since the epoch.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The status of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CertificateStatus {
    /// Its holder may connect.
    Active,
    /// Its holder may not connect.
    Inactive,
    /// Its holder may not connect, for ever.
    Revoked,
}

/// The mode of a certificate: who signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum CertificateMode {
    /// The registry's own authority.
    Default,
    /// Somebody else: it was registered without a CA.
    SniOnly,
}

/// The relation of a certificate to a Thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum PrincipalType {
    /// The Thing is the only one of the certificate.
    ExclusiveThing,
    /// The certificate may have other Things.
    NonExclusiveThing,
}

/// A Thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Thing {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// A certificate and its attachments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Certificate {
    /// The SHA-256 of the DER in lower-case hex.
    pub(crate) id: String,
    /// The place in the order of creation.
    pub(crate) number: u64,
    pub(crate) pem: String,
    pub(crate) status: CertificateStatus,
    pub(crate) mode: CertificateMode,
    pub(crate) created: u64,
    pub(crate) modified: u64,
    /// The validity of the certificate itself, in seconds since the epoch.
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    pub(crate) generation_id: String,
    /// One more than the number of changes of the status.
    pub(crate) customer_version: u64,
    pub(crate) policies: BTreeSet<String>,
    pub(crate) things: BTreeMap<String, PrincipalType>,
}

/// A policy with its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyRecord {
    pub(crate) name: String,
    pub(crate) versions: BTreeMap<u64, PolicyVersion>,
    pub(crate) default_version: u64,
    /// The number of the version that is made next: numbers are not used again.
    pub(crate) next_version: u64,
    pub(crate) created: u64,
    pub(crate) modified: u64,
    pub(crate) generation_id: String,
}

/// One version of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyVersion {
    pub(crate) document: String,
    pub(crate) created: u64,
}

/// The change of one entity. Each operation makes at most one: a change is whole or has not happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    Thing(Thing),
    ThingDeleted(String),
    Certificate(Box<Certificate>),
    CertificateDeleted(String),
    Policy(PolicyRecord),
    PolicyDeleted(String),
}
