//! Standard output.

use firefly_output::OutputError;

use crate::verdict::Failure;

/// Writes to standard output what a command has done.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    firefly_output::print(text).map_err(failed)
}

/// Writes to standard output what a command was called for.
pub(crate) fn print_result(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    firefly_output::print_result(text).map_err(failed)
}

fn failed(error: OutputError) -> Failure {
    Failure::Failed(error.to_string())
}
