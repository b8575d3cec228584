//! The next step of a run, by its target and by what has been observed.
//!
//! ```text
//! loop {
//!     match next(&target, &observed, now) {
//!         Step::Answer(answer) => return answer,
//!         step => observed = observed.apply(&step, act(&step)),
//!     }
//! }
//! ```
//!
//! Every step may be repeated, and a run may end after any of them. All that the next run needs is in the row and in
//! AWS. A run that is short of time tells `apply` that each step it cannot begin has failed with
//! [`Failure::Throttled`](super::step::Failure::Throttled); the writes of the row that follow are still to be tried.

mod apply;
mod deliver;
mod observed;
mod provision;
mod remove;
mod sweep;
mod target;

use super::step::Step;
use crate::time::UnixSeconds;

pub use observed::Observed;
pub use target::{Delivery, Provision, Remover, Sweep, Target};

/// Returns the next step of a run at `now`. It is [`Step::Answer`] once there is nothing more to do.
#[must_use]
pub fn next(target: &Target, observed: &Observed, now: UnixSeconds) -> Step {
    match target {
        Target::Provision(target) => provision::next(target, observed, now),
        Target::Deprovision(by) => remove::next(*by, observed, now),
        Target::Sweep(target) => sweep::next(target, observed, now),
    }
}
