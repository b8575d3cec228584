//! The share of a fleet's requests that AWS's documented limits let through, and the cost.
//!
//! [`simulate`] is a pure function of a seed, the requests with their arrivals, the durations of invocations and the
//! limits. Capacity planning is the field's word for the question that it answers; a simulated fleet that sends real
//! requests is `firefly-device fleet`, whose record [`Record`] reads. Limits and prices stand here once, each with its
//! source; `docs/scale.md` has the arithmetic and the figures.
//!
//! ```
//! use firefly_capacity::{Day, Durations, Limits, simulate};
//! use std::time::Duration;
//!
//! let town = Day { controllers: 10_000, within: Duration::from_secs(10), days: 1 };
//! let report = simulate(1, &town.requests(1), &Durations::published(), &Limits::default_quotas());
//! assert_eq!(report.total().served, 20_000);
//! ```

mod cost;
mod day;
mod durations;
mod lambda;
mod limits;
mod record;
mod report;
mod request;
mod route;
mod simulation;
mod token_bucket;
mod town;

pub use cost::{Cost, Prices};
pub use day::Day;
pub use durations::Durations;
pub use limits::{Environments, Limits, Stores, Throttle, ThrottleError};
pub use record::{Compared, Record, RecordError};
pub use report::{Counts, Report};
pub use request::Request;
pub use route::FleetRoute;
pub use simulation::simulate;
pub use town::towns;
