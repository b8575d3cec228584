//! The errors that callers get, each with AWS's name and status.

use serde_json::{Value, json};

/// The kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    AccessDenied,
    CertificateState,
    CertificateValidation,
    DeleteConflict,
    InternalFailure,
    InvalidRequest,
    LimitExceeded,
    MalformedPolicy,
    ResourceAlreadyExists,
    ResourceNotFound,
    Throttling,
    UnrecognizedClient,
    VersionConflict,
    VersionsLimitExceeded,
}

impl Kind {
    /// The status and the name, as the header `x-amzn-errortype` has it.
    const fn wire(self) -> (u16, &'static str) {
        match self {
            Self::CertificateValidation => (400, "CertificateValidationException"),
            Self::InvalidRequest => (400, "InvalidRequestException"),
            Self::MalformedPolicy => (400, "MalformedPolicyException"),
            Self::Throttling => (400, "ThrottlingException"),
            Self::AccessDenied => (403, "AccessDeniedException"),
            Self::UnrecognizedClient => (403, "UnrecognizedClientException"),
            Self::ResourceNotFound => (404, "ResourceNotFoundException"),
            Self::CertificateState => (406, "CertificateStateException"),
            Self::DeleteConflict => (409, "DeleteConflictException"),
            Self::ResourceAlreadyExists => (409, "ResourceAlreadyExistsException"),
            Self::VersionConflict => (409, "VersionConflictException"),
            Self::VersionsLimitExceeded => (409, "VersionsLimitExceededException"),
            Self::LimitExceeded => (410, "LimitExceededException"),
            Self::InternalFailure => (500, "InternalFailureException"),
        }
    }
}

/// An error that a caller gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    kind: Kind,
    message: String,
    /// The id and the ARN of the resource that exists already.
    resource: Option<(String, String)>,
}

impl Refusal {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), resource: None }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidRequest, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::ResourceNotFound, message)
    }

    pub(crate) fn exists(message: impl Into<String>, id: &str, arn: String) -> Self {
        Self { resource: Some((id.to_owned(), arn)), ..Self::new(Kind::ResourceAlreadyExists, message) }
    }

    pub(crate) const fn status(&self) -> u16 {
        self.kind.wire().0
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.kind.wire().1
    }

    /// The body of the answer.
    pub(crate) fn body(&self) -> Value {
        match &self.resource {
            None => json!({ "message": self.message }),
            Some((id, arn)) => json!({ "message": self.message, "resourceId": id, "resourceArn": arn }),
        }
    }
}
