//! Standard output.

use std::io::{self, Write as _};

use crate::verdict::Failure;

/// Writes to standard output.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_ref())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::Failed(format!("cannot write to standard output: {error}")))
}
