//! Durations of invocations.

use std::collections::BTreeMap;

use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::request::Request;
use crate::route::FleetRoute;

/// The durations that invocations are drawn from.
pub struct Durations {
    warm: BTreeMap<FleetRoute, Spread>,
    /// The time by which an invocation is longer that creates its environment.
    start: Spread,
}

enum Spread {
    /// Seconds, uniform from the first to the second.
    Between(f64, f64),
    /// Recorded seconds, each equally likely.
    Among(Vec<f64>),
}

impl Durations {
    /// The bounds that AWS publishes, uniform between them. An account's own figures replace them.
    ///
    /// - A call of DynamoDB takes single-digit milliseconds: 1 to 10 ms each (AWS re:Post Knowledge Center,
    ///   "How can I troubleshoot high latency on an Amazon DynamoDB table?").
    /// - S3 answers small objects in 100 to 200 ms (Amazon S3 User Guide, "Performance design patterns").
    /// - A start takes 100 ms to 1 s (AWS Compute Blog, "Operating Lambda: Performance optimization – Part 1").
    ///
    /// CPU time is 1 to 5 ms (`docs/benchmarks.md`, a slower core).
    pub fn published() -> Self {
        let warm = [
            (FleetRoute::KeyCreation, (0.003, 0.025)),
            (FleetRoute::Registration, (0.006, 0.055)),
            (FleetRoute::BootCheck, (0.003, 0.025)),
            (FleetRoute::Upload, (0.104, 0.235)),
            (FleetRoute::Restore, (0.103, 0.225)),
        ];
        let warm = warm.map(|(route, (least, most))| (route, Spread::Between(least, most)));
        Self { warm: warm.into(), start: Spread::Between(0.1, 1.0) }
    }

    /// The durations that requests were recorded with; starts take no time.
    pub fn recorded(requests: &[Request]) -> Self {
        let mut warm = BTreeMap::<_, Vec<f64>>::new();
        for request in requests {
            warm.entry(request.route).or_default().extend(request.duration.map(|duration| duration.as_secs_f64()));
        }
        let warm = warm.into_iter().map(|(route, seconds)| (route, Spread::Among(seconds))).collect();
        Self { warm, start: Spread::Between(0.0, 0.0) }
    }

    /// Draws the seconds of an invocation, without a start.
    pub(crate) fn warm(&self, route: FleetRoute, rng: &mut StdRng) -> f64 {
        self.warm.get(&route).map_or(0.0, |spread| spread.draw(rng))
    }

    /// Draws the seconds of a start.
    pub(crate) fn start(&self, rng: &mut StdRng) -> f64 {
        self.start.draw(rng)
    }
}

impl Spread {
    fn draw(&self, rng: &mut StdRng) -> f64 {
        match self {
            Self::Between(least, most) => least + (most - least) * rng.random::<f64>(),
            Self::Among(seconds) if seconds.is_empty() => 0.0,
            Self::Among(seconds) => seconds[rng.random_range(0..seconds.len())],
        }
    }
}
