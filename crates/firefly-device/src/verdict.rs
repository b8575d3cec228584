//! The failure of a command: a message with advice, and an exit status.

use std::fmt;
use std::process::ExitCode;

use firefly_core::time::UnixSeconds;
use firefly_device::{Response, TransportError};
use http::StatusCode;

/// The reason why a command did not succeed.
pub(crate) enum Failure {
    /// The command line or a file is wrong: exit status 2.
    Usage(String),
    /// The cloud refused, could not be reached, or does not have the backup or registration: exit status 1.
    Failed(String),
}

impl Failure {
    pub(crate) fn usage(error: impl fmt::Display) -> Self {
        Self::Usage(error.to_string())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }

    /// Describes a failure that the cloud answered. `advice` has the command's own remedy for some statuses.
    pub(crate) fn refused(response: &Response, now: UnixSeconds, advice: &[(u16, &str)]) -> Self {
        let status = response.status;
        let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let mut text = format!("the cloud refused: {status}");
        for part in [reason, response.message().as_deref()].into_iter().flatten() {
            text.push_str(": ");
            text.extend(part.chars().filter(|character| !character.is_control()));
        }
        let specific = advice.iter().find(|(of, _)| *of == status);
        let hint = if let Some(server_time) = response.member("server_time") {
            format!("its clock says {server_time}, this machine's {now}: set this machine's clock")
        } else if let Some((_, hint)) = specific {
            (*hint).to_owned()
        } else if let Some(seconds) = response.header("retry-after") {
            format!("try again in {seconds} s")
        } else {
            match status {
                300..=399 => "a signed request is not sent on: use the URL without a redirect",
                404 | 405 => "is --url the cloud's?",
                500.. => "the fault is the cloud's: its log has the cause",
                _ => return Self::Failed(text),
            }
            .to_owned()
        };
        Self::Failed(format!("{text}\n{hint}"))
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Self::Failed(match error {
            TransportError::Connect { .. } => {
                format!("{error}\nis the cloud running, and is --url right?")
            }
            error => error.to_string(),
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Failed(text) => formatter.write_str(text),
        }
    }
}
