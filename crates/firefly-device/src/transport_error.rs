//! The failures of an HTTP exchange.

use std::io;

/// The reason why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The connection, or TLS on it, could not be made.
    #[error("cannot connect to {to}: {source}")]
    Connect {
        /// The URL tried.
        to: String,
        /// The error of the operating system, the resolver or TLS.
        source: io::Error,
    },
    /// The whole exchange took longer than the firmware waits.
    #[error("no answer within {seconds} s")]
    Timeout {
        /// The seconds that the device waited.
        seconds: u64,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection broke before the answer was complete: {source}")]
    Broken {
        /// The error of the operating system.
        source: io::Error,
    },
    /// The answer is not HTTP/1.1, or longer than any answer of the cloud.
    #[error("the answer is not HTTP/1.1: {reason}")]
    NotHttp {
        /// The reason.
        reason: &'static str,
    },
    /// A 204 or 304 announces a body: the firmware waits for that body until it times out.
    #[error("a {status} answer announced a body of {length} bytes, on which a controller hangs")]
    AnnouncedBody {
        /// The answer's status.
        status: u16,
        /// The answer's `Content-Length`.
        length: u64,
    },
    /// The request has a line break or NUL in a header, or a blank in its method or path.
    #[error("a header, the method or the path holds a character that cannot be sent")]
    Unsendable,
}
