//! Failures that all stores have.

use aws_sdk_dynamodb::error::BuildError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call of a store that did not succeed. The texts are for the log, never for a client.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store could not be reached, did not answer in time, or asked to be called later: trying again may help.
    #[error("{operation} is unavailable: {cause}")]
    Unavailable {
        /// The API operation, as AWS spells it.
        operation: &'static str,
        /// The error code and AWS's own message, or how the connection failed.
        cause: String,
    },
    /// The store refused the call, for instance because a permission is missing: trying again does not help.
    #[error("{operation} failed: {cause}")]
    Failed {
        /// The API operation, as AWS spells it.
        operation: &'static str,
        /// The error code and AWS's own message, or how the connection failed.
        cause: String,
    },
    /// An item that was to be updated has been deleted meanwhile.
    #[error("{item} is no longer there")]
    Gone {
        /// The item that was to be updated.
        item: &'static str,
    },
    /// An item is not as this program writes and reads it.
    #[error("{item} has a missing or malformed {attribute}")]
    Malformed {
        /// The item that was read.
        item: &'static str,
        /// The attribute at fault.
        attribute: &'static str,
    },
}

/// Error codes of DynamoDB and S3 after which the same call may succeed.
const TRANSIENT_CODES: [&str; 12] = [
    "InternalError",
    "InternalServerError",
    "LimitExceededException",
    "OperationAborted",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

impl StoreError {
    /// The failure of an SDK call. Only the error code and AWS's own message are kept: the full error holds the
    /// response, and with it stored items.
    pub(crate) fn from_sdk<E: ProvideErrorMetadata>(
        operation: &'static str,
        error: &SdkError<E, HttpResponse>,
    ) -> Self {
        match error {
            SdkError::ConstructionFailure(_) => {
                Self::Failed { operation, cause: "the request could not be built".into() }
            }
            SdkError::TimeoutError(_) => Self::Unavailable { operation, cause: "no answer in time".into() },
            SdkError::DispatchFailure(failure) => Self::Unavailable {
                operation,
                cause: if failure.is_timeout() { "no connection in time" } else { "the connection failed" }.into(),
            },
            SdkError::ResponseError(_) => Self::Unavailable { operation, cause: "the answer could not be read".into() },
            SdkError::ServiceError(service) => {
                let (code, message) = (service.err().code(), service.err().message());
                let status = service.raw().status().as_u16();
                if status < 400 {
                    return Self::Unavailable { operation, cause: "the answer could not be read".into() };
                }
                let cause = format!("{status} {} {}", code.unwrap_or("(no code)"), message.unwrap_or(""));
                if status >= 500 || code.is_some_and(|code| TRANSIENT_CODES.contains(&code)) {
                    Self::Unavailable { operation, cause }
                } else {
                    Self::Failed { operation, cause }
                }
            }
            _ => Self::Unavailable { operation, cause: "an unknown failure of the SDK".into() },
        }
    }

    /// The failure to build a request that lacks a part it must have: a fault of this program.
    pub(crate) fn from_build(error: &BuildError) -> Self {
        Self::Failed { operation: "dynamodb", cause: error.to_string() }
    }
}
