use std::io;
use std::path::PathBuf;

/// An error that keeps the bench from measuring.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// Something that has to be there, such as a socket or a process, cannot be had.
    #[error("{what}: {source}")]
    Io {
        /// The action that failed.
        what: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// Cargo has not built the binaries.
    #[error("cargo could not build the functions")]
    Build,
    /// A binary is not among those that cargo built.
    #[error("cargo built no binary {name}")]
    NoBinary {
        /// The binary's name.
        name: String,
    },
    /// `--only` is part of no scenario's name or function.
    #[error("no scenario's name or function contains {only:?}")]
    NoScenario {
        /// The value of `--only`.
        only: String,
    },
    /// The kernel's figures of a process cannot be read.
    #[error("{path} is not of the form that proc(5) describes")]
    Proc {
        /// The file.
        path: PathBuf,
    },
    /// A process has ended, hangs, or answers otherwise than its route does.
    #[error("{function}: {problem}")]
    Function {
        /// The binary's name.
        function: String,
        /// The fault, in words.
        problem: String,
    },
}

/// Adds the action that failed to an error of the operating system.
pub(crate) fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> BenchError {
    |source| BenchError::Io { what: what.into(), source }
}
