//! The simulation: each request meets the limits in turn.

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::durations::Durations;
use crate::lambda::{Environment, Lambda, Refusal};
use crate::limits::{Limits, Stores};
use crate::report::{Report, RequestEnd};
use crate::request::Request;
use crate::route::Usage;
use crate::token_bucket::TokenBucket;

/// Simulates requests against limits. Equal arguments give equal reports.
///
/// `requests` are taken in the order of their arrivals, whatever their order in the slice. The seed draws the durations
/// that were not recorded.
pub fn simulate(seed: u64, requests: &[Request], durations: &Durations, limits: &Limits) -> Report {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut throttle = TokenBucket::new(limits.throttle.rate, limits.throttle.burst);
    let mut lambda = Lambda::new(limits);
    let mut stores = limits.stores.map(Throughput::new);
    let mut in_order = requests.to_vec();
    in_order.sort_by_key(|request| request.at);
    let mut report = Report::default();
    for request in in_order {
        let (now, route) = (request.at.as_secs_f64(), request.route);
        if !throttle.take(now) {
            report.add(route, RequestEnd::Throttled, 0.0);
            continue;
        }
        let start = match lambda.environment(now, route) {
            Ok(Environment::Warm) => 0.0,
            Ok(Environment::New) => {
                report.cold_starts += 1;
                durations.start(&mut rng)
            }
            Err(Refusal::Concurrency) => {
                report.add(route, RequestEnd::OverConcurrency, 0.0);
                continue;
            }
            Err(Refusal::ScalingRate) => {
                report.add(route, RequestEnd::OverScalingRate, 0.0);
                continue;
            }
        };
        let work = request.duration.map_or_else(|| durations.warm(route, &mut rng), |known| known.as_secs_f64());
        let wait = stores.as_mut().map_or(Ok(0.0), |stores| stores.wait_for(now + start, &route.usage()));
        let (end, seconds) = match wait {
            Ok(wait) => (RequestEnd::Served, start + work + wait),
            Err(patience) => (RequestEnd::OverStores, start + patience),
        };
        lambda.run(now, route, seconds);
        report.add(route, end, seconds);
    }
    report.most_concurrent = lambda.most_concurrent();
    report
}

/// The stores' throughput, a second of which they give at once.
struct Throughput {
    write_units: TokenBucket,
    read_units: TokenBucket,
    puts: TokenBucket,
    gets: TokenBucket,
    patience: f64,
}

impl Throughput {
    fn new(stores: Stores) -> Self {
        let bucket = |rate| TokenBucket::new(rate, rate);
        Self {
            write_units: bucket(stores.write_units),
            read_units: bucket(stores.read_units),
            puts: bucket(stores.puts),
            gets: bucket(stores.gets),
            patience: stores.patience.as_secs_f64(),
        }
    }

    /// Returns the seconds for which a request waits for its stores, or, as an error, those after which it gives up.
    fn wait_for(&mut self, now: f64, usage: &Usage) -> Result<f64, f64> {
        let patience = self.patience;
        let demands = [
            (&mut self.read_units, usage.read_units),
            (&mut self.write_units, usage.write_units),
            (&mut self.puts, usage.puts),
            (&mut self.gets, usage.gets),
        ];
        let mut longest = 0.0_f64;
        for (bucket, units) in demands.into_iter().filter(|(_, units)| *units > 0.0) {
            longest = longest.max(bucket.wait_for(now, units, patience).ok_or(patience)?);
        }
        Ok(longest)
    }
}
