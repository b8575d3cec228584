//! Token buckets.

/// A bucket into which `rate` tokens flow each second until it holds `size`. It is full at first.
///
/// Times are seconds from the start of the simulation and never go back.
pub(crate) struct TokenBucket {
    rate: f64,
    size: f64,
    tokens: f64,
    filled_at: f64,
}

impl TokenBucket {
    pub(crate) fn new(rate: f64, size: f64) -> Self {
        Self { rate, size, tokens: size, filled_at: 0.0 }
    }

    /// Takes one token; returns `false` if there is none.
    pub(crate) fn take(&mut self, now: f64) -> bool {
        self.wait_for(now, 1.0, 0.0).is_some()
    }

    /// Takes tokens as soon as they are there.
    ///
    /// Returns the seconds until then, or `None` if those would be more than `patience`: then nothing is taken.
    pub(crate) fn wait_for(&mut self, now: f64, tokens: f64, patience: f64) -> Option<f64> {
        self.tokens = self.size.min(self.tokens + (now - self.filled_at) * self.rate);
        self.filled_at = now;
        let wait = ((tokens - self.tokens) / self.rate).max(0.0);
        (wait <= patience).then(|| {
            self.tokens -= tokens;
            wait
        })
    }
}

#[cfg(test)]
mod tests {
    use super::TokenBucket;

    #[test]
    fn a_full_bucket_gives_its_size_at_once_and_then_its_rate() {
        let mut bucket = TokenBucket::new(10.0, 3.0);
        let taken = |bucket: &mut TokenBucket, now| (0..20).filter(|_| bucket.take(now)).count();
        assert_eq!(taken(&mut bucket, 0.0), 3);
        assert_eq!(taken(&mut bucket, 0.25), 2);
        assert_eq!(taken(&mut bucket, 60.0), 3);
    }

    #[test]
    fn waiting_takes_turns_and_ends_at_the_patience() {
        let mut bucket = TokenBucket::new(4.0, 4.0);
        let waits: Vec<_> = (0..4).map(|_| bucket.wait_for(0.0, 4.0, 2.0)).collect();
        assert_eq!(waits, [Some(0.0), Some(1.0), Some(2.0), None]);
        assert_eq!(bucket.wait_for(1.0, 4.0, 2.0), Some(2.0));
    }
}
