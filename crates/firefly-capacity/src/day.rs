//! The requests of a fleet after a power cut.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::request::Request;
use crate::route::FleetRoute;

/// The time from a controller's start to its first upload.
const UPLOAD_AFTER_START: Duration = Duration::from_secs(30);
/// The time from one upload of a controller to the next, whatever the answer.
const UPLOAD_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// A fleet whose controllers start within some time, as after a power cut.
///
/// Each asks for its registration at its start, uploads 30 s later and then every 24 h, and repeats nothing that is
/// refused. With starts spread over 24 h it is a fleet's quiet day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// The controllers.
    pub controllers: usize,
    /// The time within which they start, each moment equally likely.
    pub within: Duration,
    /// The uploads of each controller.
    pub days: u32,
}

impl Day {
    /// Draws the requests.
    pub fn requests(&self, seed: u64) -> Vec<Request> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut requests = Vec::new();
        for _ in 0..self.controllers {
            let start = self.within.mul_f64(rng.random::<f64>());
            requests.push(Request { at: start, route: FleetRoute::BootCheck, duration: None });
            let uploads = (0..self.days).map(|day| start + UPLOAD_AFTER_START + UPLOAD_INTERVAL * day);
            requests.extend(uploads.map(|at| Request { at, route: FleetRoute::Upload, duration: None }));
        }
        requests
    }
}
