//! Lambda's environments.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use crate::limits::{Environments, Limits};
use crate::route::FleetRoute;
use crate::token_bucket::TokenBucket;

/// The environment that an invocation gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Environment {
    Warm,
    /// It has to be created first.
    New,
}

/// The reason for which there is no environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Concurrency,
    ScalingRate,
}

/// The functions of an account, one for each route.
pub(crate) struct Lambda {
    concurrency: usize,
    environments: Option<Environments>,
    /// The ends of the invocations under way, in nanoseconds.
    busy: BinaryHeap<Reverse<(u64, FleetRoute)>>,
    /// The times since which environments are idle, the latest last.
    idle: BTreeMap<FleetRoute, Vec<u64>>,
    creations: BTreeMap<FleetRoute, TokenBucket>,
    most: usize,
}

impl Lambda {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            concurrency: limits.concurrency,
            environments: limits.environments,
            busy: BinaryHeap::new(),
            idle: BTreeMap::new(),
            creations: BTreeMap::new(),
            most: 0,
        }
    }

    /// The most invocations that there were at a time.
    pub(crate) const fn most_concurrent(&self) -> usize {
        self.most
    }

    /// Finds an environment for an invocation that arrives now. One that is idle is used before one is created.
    pub(crate) fn environment(&mut self, now: f64, route: FleetRoute) -> Result<Environment, Refusal> {
        self.finish(now);
        if self.busy.len() >= self.concurrency {
            return Err(Refusal::Concurrency);
        }
        let Some(limits) = self.environments else { return Ok(Environment::Warm) };
        let idle = self.idle.entry(route).or_default();
        match idle.pop() {
            Some(since) if nanoseconds(now) <= since + nanoseconds_of(limits.idle) => return Ok(Environment::Warm),
            // The others are idle for longer.
            _ => idle.clear(),
        }
        let new = || TokenBucket::new(limits.per_second, limits.at_once);
        let created = self.creations.entry(route).or_insert_with(new).take(now);
        if created { Ok(Environment::New) } else { Err(Refusal::ScalingRate) }
    }

    /// Keeps an environment busy from now on.
    pub(crate) fn run(&mut self, now: f64, route: FleetRoute, seconds: f64) {
        self.busy.push(Reverse((nanoseconds(now + seconds), route)));
        self.most = self.most.max(self.busy.len());
    }

    fn finish(&mut self, now: f64) {
        while let Some(Reverse((end, route))) = self.busy.peek().copied().filter(|first| first.0.0 <= nanoseconds(now))
        {
            self.busy.pop();
            self.idle.entry(route).or_default().push(end);
        }
    }
}

/// Whole nanoseconds, which have an order.
fn nanoseconds(seconds: f64) -> u64 {
    nanoseconds_of(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO))
}

fn nanoseconds_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Environment, Lambda, Refusal};
    use crate::limits::{Environments, Limits};
    use crate::route::FleetRoute;

    fn lambda(concurrency: usize) -> Lambda {
        let environments = Environments { at_once: 2.0, per_second: 1.0, idle: Duration::from_secs(60) };
        Lambda::new(&Limits { concurrency, environments: Some(environments), ..Limits::default_quotas() })
    }

    fn invoke(lambda: &mut Lambda, now: f64, route: FleetRoute) -> Result<Environment, Refusal> {
        let environment = lambda.environment(now, route)?;
        lambda.run(now, route, 1.0);
        Ok(environment)
    }

    #[test]
    fn functions_scale_on_their_own_and_share_the_concurrency() {
        let mut lambda = lambda(5);
        for route in [FleetRoute::Upload, FleetRoute::BootCheck] {
            assert_eq!(invoke(&mut lambda, 0.0, route), Ok(Environment::New));
            assert_eq!(invoke(&mut lambda, 0.0, route), Ok(Environment::New));
            assert_eq!(invoke(&mut lambda, 0.0, route), Err(Refusal::ScalingRate));
        }
        assert_eq!(invoke(&mut lambda, 0.5, FleetRoute::Restore), Ok(Environment::New));
        assert_eq!(invoke(&mut lambda, 0.5, FleetRoute::Restore), Err(Refusal::Concurrency));
        assert_eq!(lambda.most_concurrent(), 5);
    }

    #[test]
    fn an_environment_is_reused_until_it_has_been_idle_for_too_long() {
        let mut lambda = lambda(5);
        assert_eq!(invoke(&mut lambda, 0.0, FleetRoute::Upload), Ok(Environment::New));
        assert_eq!(invoke(&mut lambda, 1.0, FleetRoute::Upload), Ok(Environment::Warm));
        assert_eq!(invoke(&mut lambda, 62.0, FleetRoute::Upload), Ok(Environment::Warm));
        assert_eq!(invoke(&mut lambda, 123.5, FleetRoute::Upload), Ok(Environment::New));
    }
}
