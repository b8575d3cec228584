//! The entities of the registry as they are stored.

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
