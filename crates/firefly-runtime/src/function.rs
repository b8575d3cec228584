//! The shape of a function.

use std::time::Duration;

use firefly_core::device::DeviceId;
use firefly_core::time::UnixSeconds;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aws::Aws;
use crate::environment::{ConfigError, Environment};
use crate::measured::Measured;
use crate::outcome::Outcome;

/// A function of one kind of trigger: events in, replies out.
pub trait Function: Sized + Send + Sync + 'static {
    /// The name of its folder, package and binary; Lambda's function name is `firefly-` and this.
    const NAME: &'static str;

    /// Lambda hands this over as JSON.
    type Event: DeserializeOwned + Send + 'static;
    /// An event that has been read and checked.
    type Request: Send;
    /// Lambda takes this back as JSON.
    type Reply: Serialize + Send + 'static;

    /// The function as its environment describes it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when a variable it reads is missing.
    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError>;

    /// Reads an event.
    ///
    /// # Errors
    ///
    /// [`MalformedEvent`] when there is nothing in it to work on.
    fn read(event: Self::Event) -> Result<Self::Request, MalformedEvent>;

    /// The device that a request names, for the log.
    fn device(request: &Self::Request) -> Option<DeviceId>;

    /// Works on one request, for no longer than `time_left`. `now` is the server's clock.
    fn handle(
        &self,
        now: UnixSeconds,
        time_left: Duration,
        request: Self::Request,
    ) -> impl Future<Output = (Self::Reply, Outcome)> + Send;

    /// Writes the one line of the log about a request.
    fn log(reply: &Self::Reply, outcome: &Outcome, measured: &Measured);
}

/// The reason for which an event cannot be read. Lambda is told of it as an error of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MalformedEvent(pub &'static str);
