//! The output of the commands: results on standard output, all else on standard error.

use std::error::Error;
use std::fmt::Display;

/// The reason for which a command failed; its text is the line that the user reads.
pub(crate) type Failure = Box<dyn Error>;

/// Writes a line to standard output.
///
/// # Errors
/// The output cannot be written, or was closed.
pub(crate) fn print(text: impl Display) -> Result<(), Failure> {
    Ok(firefly_output::print_result(format!("{text}\n"))?)
}

/// Writes a line to standard error.
pub(crate) fn say(text: impl Display) {
    firefly_output::say(format_args!("firefly-local: {text}"));
}
