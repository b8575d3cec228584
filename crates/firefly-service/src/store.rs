//! What the DynamoDB and S3 stores share: their failures, and the reading of attributes.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use firefly_core::time::UnixSeconds;

/// A call of a store that did not succeed. The texts are for the log, never for a client.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store could not be reached, did not answer in time, or asked to be called later: trying again may help.
    #[error("{operation} is unavailable: {cause}")]
    Unavailable {
        /// The API operation, as AWS spells it.
        operation: &'static str,
        /// What happened.
        cause: String,
    },
    /// The store refused the call, for instance for want of a permission: trying again does not help.
    #[error("{operation} failed: {cause}")]
    Failed {
        /// The API operation, as AWS spells it.
        operation: &'static str,
        /// What happened.
        cause: String,
    },
    /// What was to be updated has been deleted meanwhile.
    #[error("{item} is no longer there")]
    Gone {
        /// What was to be updated.
        item: &'static str,
    },
    /// What is stored is not what this program writes or reads.
    #[error("{item} has a missing or malformed {attribute}")]
    Malformed {
        /// What was read.
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
    /// response, and with it what is stored.
    pub(crate) fn from_sdk<E: ProvideErrorMetadata>(
        operation: &'static str,
        error: &SdkError<E, impl HttpStatus>,
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
                let status = service.raw().status_code();
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
}

impl From<aws_sdk_dynamodb::error::BuildError> for StoreError {
    /// A request that lacks what it must have: a fault of this program.
    fn from(error: aws_sdk_dynamodb::error::BuildError) -> Self {
        Self::Failed { operation: "dynamodb", cause: error.to_string() }
    }
}

/// The HTTP status of a raw response.
pub(crate) trait HttpStatus {
    fn status_code(&self) -> u16;
}

impl HttpStatus for aws_smithy_runtime_api::client::orchestrator::HttpResponse {
    fn status_code(&self) -> u16 {
        self.status().as_u16()
    }
}

/// One item of a table.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Reads one item's attributes.
pub(crate) struct Attributes<'a> {
    pub(crate) item: &'a Item,
    pub(crate) name: &'static str,
}

impl<'a> Attributes<'a> {
    pub(crate) fn malformed(&self, attribute: &'static str) -> StoreError {
        StoreError::Malformed { item: self.name, attribute }
    }

    /// A string; absent and NULL are `None`.
    pub(crate) fn optional_text(&self, attribute: &'static str) -> Option<&'a str> {
        self.item.get(attribute)?.as_s().ok().map(String::as_str)
    }

    pub(crate) fn text(&self, attribute: &'static str) -> Result<&'a str, StoreError> {
        self.optional_text(attribute).ok_or_else(|| self.malformed(attribute))
    }

    /// A whole number of seconds since 1970; DynamoDB returns what was written as `1.75E9` in full.
    pub(crate) fn seconds(&self, attribute: &'static str) -> Result<UnixSeconds, StoreError> {
        let number = self.item.get(attribute).and_then(|value| value.as_n().ok());
        number.and_then(|text| text.parse().ok()).map(UnixSeconds::new).ok_or_else(|| self.malformed(attribute))
    }
}

/// A number attribute of seconds since 1970.
pub(crate) fn seconds(time: UnixSeconds) -> AttributeValue {
    AttributeValue::N(time.get().to_string())
}

/// How often a write that lost a race is tried again before the answer is 503.
pub(crate) const RACE_ATTEMPTS: u32 = 12;

/// The wait before try `attempt` (from 1) of a write that lost a race: 10 ms, doubling to 320 ms.
pub(crate) fn race_backoff(attempt: u32) -> Duration {
    Duration::from_millis(10 << attempt.saturating_sub(1).min(5))
}
