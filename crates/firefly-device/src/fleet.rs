//! Many simulated controllers at once: they register, upload, and compare the backups that they restore.

mod report;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use firefly_core::device::ProductHex;
use firefly_core::etag::ETag;
use firefly_core::registration::RegistrationKey;
use firefly_core::time::UnixSeconds;
use futures::{StreamExt as _, future, stream};
use rand::rngs::StdRng;
use rand::{CryptoRng, Rng as _, RngExt as _, SeedableRng as _};
use tokio::time::Instant;

pub use report::{Phase, PhaseReport, Report};
use report::{Sample, Verdict};

use crate::backup::etag;
use crate::client::{Client, Judged, Registration, Restore, Upload};
use crate::identity::{Identity, random_nonce};
use crate::response::Response;
use crate::transport_error::TransportError;

/// The most controllers that are minted a key for and registered at a time: a user has 200 live keys at most, an address
/// 120 tries at registration keys under way.
const ENLISTED_AT_A_TIME: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99);
/// The most times that a key is asked for and a registration sent, while the cloud is too busy.
const MAX_TRIES: usize = 600;
/// The time from one try to the next where the cloud names none: API Gateway's own answers do not. Up to as much is added
/// at random, so that devices do not come back all at once.
const DEFAULT_PAUSE: Duration = Duration::from_secs(1);
/// The longest time from one try to the next.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The task of a fleet.
#[derive(Clone)]
pub struct Plan {
    /// The number of controllers.
    pub devices: usize,
    /// The product of all controllers.
    pub product_hex: ProductHex,
    /// The JSON Web Token that mints the registration keys.
    pub token: String,
    /// The rounds of uploads. A round starts when the one before has ended.
    pub uploads: usize,
    /// The random bytes of plaintext per upload, at most
    /// [`MAX_PLAINTEXT_LENGTH`](firefly_core::envelope::MAX_PLAINTEXT_LENGTH).
    pub size: usize,
    /// The uploads started per second; `None` starts each as soon as `concurrency` lets it.
    pub rate: Option<f64>,
    /// The most connections at a time.
    pub concurrency: NonZeroUsize,
    /// `true` if every device restores its backup in the end and compares it.
    pub verify: bool,
}

/// A registered controller, and the ETags of the backups that the cloud may hold for it.
struct Member {
    identity: Arc<Identity>,
    /// The last acknowledged upload, and any after it that was not acknowledged.
    candidates: Vec<ETag>,
    acknowledged: bool,
}

/// Runs a fleet to its end, whatever fails.
///
/// `progress` gets the phase, the number of its steps that are done, and the number of all its steps. Memory is bounded
/// by some hundred bytes per device and request, and some copies of a body per connection.
pub async fn run<R: CryptoRng>(
    client: &Client,
    plan: &Plan,
    clock: fn() -> UnixSeconds,
    rng: &mut R,
    mut progress: impl FnMut(Phase, usize, usize),
) -> Report {
    let mut fleet = Fleet { client, plan, clock, rng, progress: &mut progress, report: Report::new() };
    let mut members = fleet.enlist().await;
    for round in 0..plan.uploads {
        fleet.upload(&mut members, round).await;
    }
    if plan.verify {
        members.retain(|member| member.acknowledged);
        fleet.verify(members).await;
    }
    fleet.report
}

struct Fleet<'a, R> {
    client: &'a Client,
    plan: &'a Plan,
    clock: fn() -> UnixSeconds,
    rng: &'a mut R,
    progress: &'a mut dyn FnMut(Phase, usize, usize),
    report: Report,
}

impl<R: CryptoRng> Fleet<'_, R> {
    /// Mints a key for each device and registers it. Returns the devices that are registered.
    async fn enlist(&mut self) -> Vec<Member> {
        let plan = self.plan;
        let product_hex = plan.product_hex;
        let authorization = Arc::new(format!("Bearer {}", plan.token));
        let mut members = Vec::new();
        let mut done = 0;
        let started = Instant::now();
        let start = |_| {
            let (client, authorization) = (self.client.clone(), Arc::clone(&authorization));
            let mut rng = StdRng::from_rng(self.rng);
            async move { enlist(&client, &authorization, product_hex, &mut rng).await }
        };
        let finish = |_, enlisted: Enlisted| {
            enlisted.minted.into_iter().for_each(|sample| self.report.add(Phase::Mint, sample));
            enlisted.registered.into_iter().for_each(|sample| self.report.add(Phase::Register, sample));
            members.extend(enlisted.identity.map(|identity| Member {
                identity: Arc::new(identity),
                candidates: Vec::new(),
                acknowledged: false,
            }));
            done += 1;
            (self.progress)(Phase::Register, done, plan.devices);
        };
        drive(plan.devices, plan.concurrency.min(ENLISTED_AT_A_TIME), None, start, finish).await;
        self.report.lasted(Phase::Mint, started.elapsed());
        self.report.lasted(Phase::Register, started.elapsed());
        members
    }

    /// Uploads once from every device.
    async fn upload(&mut self, members: &mut [Member], round: usize) {
        let (plan, clock, total) = (self.plan, self.clock, members.len());
        let identities: Vec<_> = members.iter().map(|member| Arc::clone(&member.identity)).collect();
        let size = plan.size;
        let mut done = round * total;
        let started = Instant::now();
        let start = |index: usize| {
            let (client, identity) = (self.client.clone(), Arc::clone(&identities[index]));
            let mut rng = StdRng::from_rng(self.rng);
            async move {
                let mut plaintext = vec![0; size];
                rng.fill_bytes(&mut plaintext);
                let mut gcm_nonce = [0; 12];
                rng.fill_bytes(&mut gcm_nonce);
                let tag = etag(&plaintext);
                let envelope = match identity.seal(&plaintext, &gcm_nonce) {
                    Ok(envelope) => envelope,
                    Err(error) => return (tag, Verdict::Unanswered(error.to_string()).since(Instant::now())),
                };
                let signed = identity.sign(&random_nonce(&mut rng), clock());
                let begun = Instant::now();
                let answer = client.upload(&signed, &envelope, Some(tag)).await;
                let verdict = judge(answer, |outcome| *outcome == Upload::Stored);
                (tag, verdict.since(begun))
            }
        };
        let finish = |index: usize, (tag, sample): (ETag, Sample)| {
            let member = &mut members[index];
            if sample.succeeded() {
                member.candidates.clear();
                member.acknowledged = true;
            }
            member.candidates.push(tag);
            self.report.add(Phase::Upload, sample);
            done += 1;
            (self.progress)(Phase::Upload, done, plan.uploads * total);
        };
        drive(total, plan.concurrency, plan.rate, start, finish).await;
        self.report.lasted(Phase::Upload, started.elapsed());
    }

    /// Restores the backup of every device and compares it with the uploads.
    async fn verify(&mut self, members: Vec<Member>) {
        let (clock, total) = (self.clock, members.len());
        let members = Arc::new(members);
        let mut done = 0;
        let started = Instant::now();
        let start = |index: usize| {
            let (client, members) = (self.client.clone(), Arc::clone(&members));
            let mut rng = StdRng::from_rng(self.rng);
            async move {
                let member = &members[index];
                let signed = member.identity.sign(&random_nonce(&mut rng), clock());
                let begun = Instant::now();
                let answer = client.restore(&signed).await;
                let took = begun.elapsed();
                let verdict = judge(answer, |outcome| match outcome {
                    Restore::Restored(envelope) => member
                        .identity
                        .open(envelope)
                        .is_ok_and(|plaintext| member.candidates.contains(&etag(&plaintext))),
                    _ => false,
                });
                verdict.took(begun, took)
            }
        };
        let finish = |_, sample| {
            self.report.add(Phase::Verify, sample);
            done += 1;
            (self.progress)(Phase::Verify, done, total);
        };
        drive(total, self.plan.concurrency, None, start, finish).await;
        self.report.lasted(Phase::Verify, started.elapsed());
    }
}

/// A device's way into the fleet: its requests, and the device itself if it is registered.
#[derive(Default)]
struct Enlisted {
    minted: Vec<Sample>,
    registered: Vec<Sample>,
    identity: Option<Identity>,
}

/// Mints a key and registers a new device with it. A request for which the cloud is too busy is sent again.
async fn enlist<R: CryptoRng>(client: &Client, authorization: &str, product_hex: ProductHex, rng: &mut R) -> Enlisted {
    let mut enlisted = Enlisted::default();
    let key = loop {
        let begun = Instant::now();
        let headers = [("Authorization", authorization)];
        let answer = client.request("POST", "/registration-keys", &headers, Some(b"")).await;
        if let Some((status, pause)) = answer.as_ref().ok().and_then(|answer| pause(answer, &enlisted.minted)) {
            enlisted.minted.push(Verdict::Postponed(status).since(begun));
            tokio::time::sleep(pause.mul_f64(1.0 + rng.random::<f64>())).await;
            continue;
        }
        let (key, verdict) = minted(answer);
        enlisted.minted.push(verdict.since(begun));
        break key;
    };
    let Some(key) = key else { return enlisted };
    let identity = Identity::generate(product_hex, rng);
    loop {
        let begun = Instant::now();
        let answer = client.register(&identity, &key).await;
        let response = answer.as_ref().ok().map(|answer| &answer.response);
        if let Some((status, pause)) = response.and_then(|response| pause(response, &enlisted.registered)) {
            enlisted.registered.push(Verdict::Postponed(status).since(begun));
            tokio::time::sleep(pause.mul_f64(1.0 + rng.random::<f64>())).await;
            continue;
        }
        let verdict = judge(answer, |outcome| *outcome == Registration::Registered);
        enlisted.identity = verdict.succeeded().then_some(identity);
        enlisted.registered.push(verdict.since(begun));
        return enlisted;
    }
}

/// Returns status and pause of a request that is to be sent again, after these tries: 429 and 503, up to [`MAX_TRIES`].
fn pause(response: &Response, tries: &[Sample]) -> Option<(u16, Duration)> {
    let is_busy = matches!(response.status, 429 | 503) && tries.len() + 1 < MAX_TRIES;
    let seconds = response.header("retry-after").and_then(|seconds| seconds.parse().ok());
    is_busy.then(|| (response.status, seconds.map_or(DEFAULT_PAUSE, Duration::from_secs).min(MAX_PAUSE)))
}

/// Returns the key of an answer to `POST /registration-keys`.
fn minted(answer: Result<Response, TransportError>) -> (Option<RegistrationKey>, Verdict) {
    let response = match answer {
        Ok(response) => response,
        Err(error) => return (None, Verdict::Unanswered(error.to_string())),
    };
    let key = response.member("key").and_then(|key| key.parse().ok());
    match (response.status, key) {
        (201, Some(key)) => (Some(key), Verdict::Succeeded(201)),
        (status, _) => (None, Verdict::Refused(status, response.message().unwrap_or_default())),
    }
}

fn judge<T>(answer: Result<Judged<T>, TransportError>, succeeded: impl FnOnce(&T) -> bool) -> Verdict {
    match answer {
        Err(error) => Verdict::Unanswered(error.to_string()),
        Ok(answer) if succeeded(&answer.outcome) => Verdict::Succeeded(answer.response.status),
        Ok(answer) => {
            let message = answer.response.message();
            let message = message.unwrap_or_else(|| "with a body that is not the right one".to_owned());
            Verdict::Refused(answer.response.status, message)
        }
    }
}

/// Starts `total` tasks in order, at most `concurrency` at a time and at most `rate` a second.
///
/// `finish` gets each result with the number of its task, in the order in which the tasks end.
async fn drive<F>(
    total: usize,
    concurrency: NonZeroUsize,
    rate: Option<f64>,
    mut start: impl FnMut(usize) -> F,
    mut finish: impl FnMut(usize, F::Output),
) where
    F: Future<Output: Send> + Send + 'static,
{
    let begun = Instant::now();
    stream::iter(0..total)
        .then(async |index| {
            if let Some(rate) = rate {
                let offset = Duration::try_from_secs_f64(index as f64 / rate);
                tokio::time::sleep_until(begun + offset.unwrap_or(Duration::MAX / 4)).await;
            }
            index
        })
        .map(|index| {
            let task = tokio::spawn(start(index));
            async move { (index, task.await) }
        })
        .buffer_unordered(concurrency.get())
        .for_each(|(index, result)| {
            match result {
                Ok(output) => finish(index, output),
                // Nothing cancels these tasks: an error is a panic, and goes on as one.
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
            future::ready(())
        })
        .await;
}
