//! The sampling of requests that anybody can have refused, as often as they like.
//!
//! A stranger may use up the API's whole throttle. Written in full, each such request costs a line of the log and one of
//! metrics; docs/logs.md has the figures.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use firefly_core::time::UnixSeconds;

use crate::outcome::Outcome;

/// The requests of one kind in one minute of which each is written, by one process.
const IN_FULL: u64 = 20;
/// Beyond that, one of so many is written and stands for all of them.
const ONE_OF: u64 = 100;

/// The requests that have not been written yet, by kind: the outcome's name and its first metric.
#[derive(Default)]
pub(crate) struct Sampling(Mutex<BTreeMap<(&'static str, Option<&'static str>), Count>>);

#[derive(Default)]
struct Count {
    minute: u64,
    seen: u64,
    unwritten: u64,
}

impl Sampling {
    /// The number of requests that are to be written as this one, itself included; `None` if it is to wait for a later one.
    ///
    /// Those that wait when a process ends are lost: fewer than 100 of each kind.
    pub(crate) fn times(&self, now: UnixSeconds, outcome: &Outcome) -> Option<u64> {
        if !outcome.anybodys {
            return Some(1);
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let metric = outcome.figures.first().map(|figure| figure.metric);
        let count = counts.entry((outcome.name, metric)).or_default();
        let minute = now.get() / 60;
        if count.minute != minute {
            (count.minute, count.seen) = (minute, 0);
        }
        count.seen += 1;
        count.unwritten += 1;
        let written = count.seen <= IN_FULL || count.unwritten >= ONE_OF;
        written.then(|| std::mem::take(&mut count.unwritten))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds::new(1_750_000_020);

    fn refused(metric: &'static str) -> Outcome {
        Outcome::new("refused").counted(metric).anybodys()
    }

    #[test]
    fn a_request_that_not_anybody_can_send_is_always_written() {
        let sampling = Sampling::default();
        assert!((0..500).all(|_| sampling.times(NOW, &Outcome::new("done")) == Some(1)));
    }

    #[test]
    fn twenty_a_minute_are_written_and_then_one_of_a_hundred_and_none_is_lost() {
        let sampling = Sampling::default();
        let times = |now, requests: usize| -> Vec<u64> {
            (0..requests).filter_map(|_| sampling.times(now, &refused("A"))).collect()
        };
        assert_eq!(times(NOW, 20), [1; 20]);
        assert_eq!(times(NOW, 250), [100, 100]);
        // The first of the next minute stands for the 50 that were left, too.
        let next = NOW.saturating_add(60);
        assert_eq!(times(next, 21), [vec![51], vec![1; 19]].concat());
        assert_eq!(times(next, 99), [100]);
    }

    #[test]
    fn each_kind_has_its_own_count() {
        let sampling = Sampling::default();
        for _ in 0..20 {
            assert_eq!(sampling.times(NOW, &refused("A")), Some(1));
        }
        assert_eq!(sampling.times(NOW, &refused("A")), None);
        assert_eq!(sampling.times(NOW, &refused("B")), Some(1));
        assert_eq!(sampling.times(NOW, &Outcome::new("other").counted("A").anybodys()), Some(1));
    }
}
