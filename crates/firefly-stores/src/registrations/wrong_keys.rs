//! Limits the tries at registration keys, so that guessing a live one is hopeless.
//!
//! A key is one of 36⁶ = 2,176,782,336. Every try at one is admitted before the key is judged, and given back unless the
//! key was wrong: good registrations use up nothing.
//!
//! - An address has a bucket of [`BURST`](address::BURST) tries, which gets one back every
//!   [`INTERVAL_SECONDS`](address::INTERVAL_SECONDS). One conditional write on the address's own item takes a try; it
//!   alone decides, so that of any number of requests at once no more than the bucket holds are judged. The bucket is
//!   never full for longer than one interval after the last guess: then an honest key of that address passes. While
//!   guessing goes on at `r` guesses a second, nobody can tell an honest try from a guess, and a place that becomes free
//!   is open for `1 / r` seconds of 30 on the average: an honest try passes with a chance of 1 in `30 r`, which is 3 % at
//!   one guess a second and 0.03 % at a hundred. More than [`BURST`](address::BURST) honest tries of one address at the
//!   same moment are refused like guesses.
//! - All addresses together have [`ALL_LIMIT`] tries in an hour of the clock. An address that has used its first
//!   [`FIRST_TRIES`] of the hour is refused until the hour ends, also after its own guessing has stopped. The first
//!   ones are not: strangers take nobody's. A try that is not judged yet counts among them, so that of six honest tries of
//!   one address at the same moment one is refused then. The count is read before the try is admitted and raised before
//!   the key is judged. Of requests in flight at the same moment, at most 1,000 (Lambda's default concurrency of an
//!   account), each may have read it before the others raised it. So `A` addresses have at most `5 A + 5,000 + 1,000` wrong keys judged in an hour. A failure to read or to raise
//!   the count refuses tries beyond an address's first ones, and no others.
//!
//! | addresses | wrong keys an hour, at most | chance a day that one is one of 20 live keys |
//! |---:|---:|---:|
//! | 1 | 120 (240 in the first) | 2.8 × 10⁻⁵ |
//! | 100 | 6,500 | 1.4 × 10⁻³ |
//! | 15,000 | 81,000 | 0.018 |
//! | 100,000 | 506,000 | 0.11 |
//!
//! A chance is wrong keys in a day × live keys / 36⁶. The term `5 A` remains: whoever owns a hundred thousand addresses
//! (of IPv6, /48 networks) gets as far as the last row. One user has at most 200 live keys, and the chance grows with them.
//! A try that is lost (its function crashed, or giving back failed) counts as a guess until the bucket has got it back.
//!
//! The counts are items of the keys' table, without `generated_by_sub`, so that no list shows them. Refused tries write
//! nothing to the shared ones, and one address's item takes 1,000 writes a second: beyond that its own tries are 503.

mod address;
mod all;

use aws_sdk_dynamodb::Client;
use firefly_core::source_address::SourceAddress;
use firefly_core::time::UnixSeconds;

use address::{AddressTries, Tries};
use all::AllTries;

use crate::error::StoreError;
use crate::item::Written;
use crate::race::RACE_ATTEMPTS;

/// Seconds of the hour of the clock in which tries of all addresses are counted.
const HOUR_SECONDS: u64 = 3_600;
/// Tries of all addresses in an hour beyond which guessing is under way.
const ALL_LIMIT: u64 = 5_000;
/// Tries of an address in an hour that the count of all addresses does not limit.
const FIRST_TRIES: u64 = 5;

/// The limits of tries at registration keys.
pub(super) struct WrongKeys {
    address: AddressTries,
    all: AllTries,
}

/// A try that was admitted. It is given back unless its key was wrong.
#[derive(Clone, Copy)]
pub(super) struct Try {
    source: SourceAddress,
    hour: UnixSeconds,
    in_all: bool,
}

/// The reason for which a try is not admitted.
pub(super) enum TryError {
    /// The address, or all together, have used up their tries.
    TooMany { retry_after_seconds: u64 },
    /// The try could not be recorded.
    NotRecorded(StoreError),
}

impl WrongKeys {
    pub(super) fn new(client: Client, table: String) -> Self {
        Self { address: AddressTries::new(client.clone(), table.clone()), all: AllTries::new(client, table) }
    }

    /// Reads the tries of an address: a hint for [`Self::admit`].
    pub(super) async fn tries(&self, source: SourceAddress) -> Result<Option<Tries>, StoreError> {
        self.address.read(source).await
    }

    /// Admits a try. `hint` is the address's item as it was last seen; the write is conditional on it, and a refused one
    /// returns the item as it is.
    pub(super) async fn admit(
        &self,
        source: SourceAddress,
        mut hint: Option<Tries>,
        now: UnixSeconds,
    ) -> Result<Try, TryError> {
        let hour = UnixSeconds::new(now.get() / HOUR_SECONDS * HOUR_SECONDS);
        let mut most = FIRST_TRIES;
        for _ in 0..RACE_ATTEMPTS {
            if let Some(retry_after_seconds) = hint.as_ref().and_then(|tries| tries.wait(now)) {
                return Err(TryError::TooMany { retry_after_seconds });
            }
            if most == FIRST_TRIES && hint.as_ref().is_some_and(|tries| tries.in_hour(hour) >= FIRST_TRIES) {
                if self.all.count(hour).await.map_err(TryError::NotRecorded)? > ALL_LIMIT {
                    let end = hour.saturating_add(HOUR_SECONDS);
                    return Err(TryError::TooMany { retry_after_seconds: end.get().saturating_sub(now.get()).max(1) });
                }
                most = u64::MAX;
            }
            match self.address.take(source, hint.as_ref(), hour, most, now).await.map_err(TryError::NotRecorded)? {
                Written::Done => return self.count(Try { source, hour, in_all: true }, most == FIRST_TRIES).await,
                Written::Refused(tries) => hint = tries,
            }
        }
        let cause = "other tries came first each time".to_owned();
        Err(TryError::NotRecorded(StoreError::Unavailable { operation: "dynamodb:UpdateItem", cause }))
    }

    /// Gives a try back. A failure is only logged: the try then counts as a guess.
    pub(super) async fn give_back(&self, admitted: Try) {
        let own = self.address.give_back(admitted.source, admitted.hour);
        let all =
            async { if admitted.in_all { self.all.give_back(admitted.source, admitted.hour).await } else { Ok(()) } };
        let (own, all) = tokio::join!(own, all);
        for error in [own.err(), all.err()].into_iter().flatten() {
            tracing::warn!(cause = %error, "a try at a registration key is not given back");
        }
    }

    /// Counts a try among those of all addresses. Only one of an address's first tries is admitted without it.
    async fn count(&self, admitted: Try, is_first: bool) -> Result<Try, TryError> {
        match self.all.add(admitted.source, admitted.hour).await {
            Ok(()) => Ok(admitted),
            Err(error) if is_first => {
                tracing::warn!(cause = %error, "a try at a registration key is not counted among all addresses'");
                Ok(Try { in_all: false, ..admitted })
            }
            Err(error) => {
                self.give_back(Try { in_all: false, ..admitted }).await;
                Err(TryError::NotRecorded(error))
            }
        }
    }
}
