//! The time that a request took.

use crate::aws::Calls;

/// Measurements of one request.
pub struct Measured {
    /// From the read event to its reply, without the wait for a refresh of the configuration after that.
    pub duration_ms: u64,
    /// Each AWS call, its retries included.
    pub calls: Calls,
    /// `true` if it was the first of its process.
    pub cold_start: bool,
    /// The number of requests that it stands for in log and metrics; more than 1 only where anybody can send such requests.
    pub times: u64,
}
