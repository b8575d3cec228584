//! The output of the commands: results on standard output, all else on standard error.

use std::error::Error;
use std::fmt::Display;
use std::io::Write as _;

/// The reason for which a command failed; its text is the line that the user reads.
pub(crate) type Failure = Box<dyn Error>;

/// Writes a line to standard output.
///
/// # Errors
/// The operating system's error, such as that of a closed output.
pub(crate) fn print(text: impl Display) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

/// Writes a line to standard error. That may be closed, which is not a reason to end otherwise than in order.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "firefly-local: {text}");
}
