//! The registry.

use crate::policy;
use crate::record::CertificateStatus;

/// Things, certificates and policies.
#[derive(Clone, Debug)]
pub struct Registry {
    changes: tokio::sync::watch::Sender<u64>,
}

impl Registry {
    /// The status of a certificate by its id; `None` if there is no such certificate.
    #[must_use]
    pub fn certificate_status(&self, _id: &str) -> Option<CertificateStatus> {
        None
    }

    /// Returns `true` if the policies of the certificate allow its connection an action. A certificate that is not
    /// ACTIVE allows nothing.
    #[must_use]
    pub fn allows(
        &self,
        _certificate_id: &str,
        _client_id: &str,
        _action: policy::Action,
        _resource: &policy::Resource<'_>,
    ) -> bool {
        false
    }

    /// Changes each time a certificate, an attachment or a policy changes.
    #[must_use]
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
