//! The failures of calls of AWS.

use aws_sdk_cloudformation::error::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The reason why a call of AWS failed.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// No region is configured.
    #[error("no AWS region: set AWS_REGION")]
    NoRegion,
    /// No credentials are configured.
    #[error(
        "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE{}",
        .cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default()
    )]
    NoCredentials {
        /// The fault of credentials that are configured.
        cause: Option<String>,
    },
    /// AWS refused a call.
    #[error("{operation}: {message} ({code}){}", advice(.code))]
    Refused {
        /// The operation.
        operation: &'static str,
        /// AWS's code of the error.
        code: String,
        /// AWS's message.
        message: String,
    },
    /// There is no answer, or it cannot be read.
    #[error("{operation}: no usable answer from AWS: {cause}; check network, region and endpoint, and run again")]
    NoAnswer {
        /// The operation.
        operation: &'static str,
        /// The SDK's message.
        cause: String,
    },
    /// An answer lacks a member that AWS documents as always present.
    #[error("{operation}: AWS's answer has no {member}")]
    Incomplete {
        /// The operation.
        operation: &'static str,
        /// The member.
        member: &'static str,
    },
    /// A wait has reached its limit.
    #[error(
        "{subject} was still busy after {minutes} minutes ({state}): run again to go on waiting, --wait-minutes for longer"
    )]
    StillBusy {
        /// The subject of the wait.
        subject: String,
        /// The state in which the subject stayed.
        state: String,
        /// The length of the wait in minutes.
        minutes: u64,
    },
}

impl AwsError {
    pub(crate) fn call<E>(operation: &'static str, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match (error.code(), error.message()) {
            (Some(code), message) => Self::Refused {
                operation,
                code: code.to_owned(),
                message: one_line(message.unwrap_or("no reason given")),
            },
            (None, _) => Self::NoAnswer { operation, cause: causes(&error) },
        }
    }

    pub(crate) fn incomplete(operation: &'static str, member: &'static str) -> Self {
        Self::Incomplete { operation, member }
    }
}

/// Returns an error and its causes in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let mut causes: Vec<_> = chain.map(|error| one_line(&error.to_string())).collect();
    // A cause that already ends the one before it is left out.
    causes.dedup_by(|next, before| before.ends_with(next.as_str()));
    causes.join(": ")
}

/// Returns the advice about a refusal.
fn advice(code: &str) -> &'static str {
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            "; the credentials have expired: get new ones and run again"
        }
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature" => "; AWS does not know these credentials: check AWS_ACCESS_KEY_ID and its secret",
        "AccessDenied" | "AccessDeniedException" => {
            "; use a role that may do it, such as the one the stack firefly-bootstrap makes"
        }
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" => "; run again in a minute",
        _ => "",
    }
}

/// Joins the lines of a text into one.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
