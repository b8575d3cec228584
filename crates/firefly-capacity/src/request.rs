//! Requests of a fleet.

use std::time::Duration;

use crate::route::FleetRoute;

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The arrival, from the start of the simulation.
    pub at: Duration,
    /// The route.
    pub route: FleetRoute,
    /// The duration of its invocation, where it was recorded.
    pub duration: Option<Duration>,
}
