//! The report of a simulation.

use std::collections::BTreeMap;
use std::fmt;

use crate::cost::{Cost, Prices};
use crate::route::FleetRoute;

/// The end of one request.
#[derive(Clone, Copy)]
pub(crate) enum RequestEnd {
    Served,
    Throttled,
    OverConcurrency,
    OverScalingRate,
    OverStores,
}

/// Requests by their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Served.
    pub served: usize,
    /// Refused by the API's throttle: 429.
    pub throttled: usize,
    /// Refused for the account's concurrency: 503.
    pub over_concurrency: usize,
    /// Refused for Lambda's scaling rate: 503.
    pub over_scaling_rate: usize,
    /// Given up by the function, for want of throughput in table or bucket: 503.
    pub over_stores: usize,
}

impl Counts {
    /// Returns all requests that were not served.
    pub const fn refused(&self) -> usize {
        self.throttled + self.over_concurrency + self.over_scaling_rate + self.over_stores
    }

    fn add(&mut self, end: RequestEnd) {
        *match end {
            RequestEnd::Served => &mut self.served,
            RequestEnd::Throttled => &mut self.throttled,
            RequestEnd::OverConcurrency => &mut self.over_concurrency,
            RequestEnd::OverScalingRate => &mut self.over_scaling_rate,
            RequestEnd::OverStores => &mut self.over_stores,
        } += 1;
    }
}

/// The result of a simulation. `Display` writes a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The requests of each route.
    pub routes: BTreeMap<FleetRoute, Counts>,
    /// The environments that were created.
    pub cold_starts: usize,
    /// The most invocations at a time.
    pub most_concurrent: usize,
    /// The cost.
    pub cost: Cost,
}

impl Report {
    /// Returns the requests of all routes together.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for counts in self.routes.values() {
            total.served += counts.served;
            total.throttled += counts.throttled;
            total.over_concurrency += counts.over_concurrency;
            total.over_scaling_rate += counts.over_scaling_rate;
            total.over_stores += counts.over_stores;
        }
        total
    }

    /// Counts a request that kept an environment busy for so long.
    pub(crate) fn add(&mut self, route: FleetRoute, end: RequestEnd, seconds: f64) {
        self.routes.entry(route).or_default().add(end);
        let prices = Prices::US_EAST_1;
        match end {
            RequestEnd::Throttled => self.cost.add_throttled(&prices),
            RequestEnd::OverConcurrency | RequestEnd::OverScalingRate => self.cost.add_not_run(&prices),
            RequestEnd::Served | RequestEnd::OverStores => self.cost.add(&prices, &route.usage(), seconds),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{:<12} {:>9} {:>9} {:>9} {:>12} {:>12} {:>9}",
            "route", "served", "refused", "throttled", "concurrency", "scaling rate", "stores"
        )?;
        let total = ("all".to_owned(), self.total());
        let rows = self.routes.iter().map(|(route, counts)| (route.to_string(), *counts)).chain([total]);
        for (name, counts) in rows {
            writeln!(
                formatter,
                "{name:<12} {:>9} {:>9} {:>9} {:>12} {:>12} {:>9}",
                counts.served,
                counts.refused(),
                counts.throttled,
                counts.over_concurrency,
                counts.over_scaling_rate,
                counts.over_stores,
            )?;
        }
        let (cold, most) = (self.cold_starts, self.most_concurrent);
        writeln!(formatter, "{cold} cold starts, at most {most} invocations at a time")?;
        write!(formatter, "{}", self.cost)
    }
}
