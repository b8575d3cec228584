//! Starts the binaries, invokes them, and measures both.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::engine::Calls;
use crate::error::BenchError;
use crate::process::Process;
use crate::runtime_api::RuntimeApi;
use crate::scenario::Stage;

/// Invocations of a warm process that are not counted: caches, allocator and connections settle.
const SETTLING: usize = 30;
/// The time that AWS takes while round trips are counted. It is so long that calls made at once are under way at once.
const COUNTING_DELAY: Duration = Duration::from_millis(40);

/// A distribution of durations, in microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Distribution {
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
}

impl Distribution {
    /// Sorts the durations; its percentiles are by nearest rank.
    pub(crate) fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort();
        let rank = |percent: usize| {
            let index = (durations.len() * percent).div_ceil(100).saturating_sub(1);
            durations.get(index).copied().unwrap_or_default().as_secs_f64() * 1e6
        };
        Self { p50_us: rank(50), p90_us: rank(90), p99_us: rank(99) }
    }

    /// Returns the one with the smaller median.
    pub(crate) fn or_smaller(self, other: Self) -> Self {
        if other.p50_us < self.p50_us { other } else { self }
    }
}

/// The times of a binary's starts and of their first invocations.
#[derive(Default)]
pub(crate) struct Starts {
    /// From the process's start to its first call of `/next`.
    pub(crate) init: Vec<Duration>,
    /// CPU time until then.
    pub(crate) init_cpu: Vec<Duration>,
    /// From the first event handed out to its answer.
    pub(crate) first: Vec<Duration>,
    /// CPU time of the first invocation.
    pub(crate) first_cpu: Vec<Duration>,
    /// The most connections to AWS that any first invocation has opened.
    pub(crate) first_connections: usize,
}

/// The times, the memory and the AWS calls of a warm process.
pub(crate) struct Warm {
    pub(crate) duration: Distribution,
    pub(crate) cpu: Distribution,
    /// Bytes.
    pub(crate) peak_memory: u64,
    pub(crate) calls: Calls,
}

/// A process that waits for an event.
pub(crate) struct Running {
    runtime_api: RuntimeApi,
    process: Process,
    init: Duration,
}

/// Starts a binary; on return it waits for its first event.
pub(crate) async fn start(stage: &Stage, binary: &Path) -> Result<Running, BenchError> {
    let runtime_api = RuntimeApi::start(stage.scenario.function).await;
    let environment = stage.environment(runtime_api.address());
    let started = Instant::now();
    let process = Process::start(binary, &environment)?;
    let init = runtime_api.waiting().await? - started;
    Ok(Running { runtime_api, process, init })
}

impl Running {
    /// The CPU time that it has taken.
    pub(crate) async fn cpu(&self) -> Result<Duration, BenchError> {
        self.process.cpu().await
    }

    /// One invocation: how long it took and what CPU time, until the process waits again.
    pub(crate) async fn invoke(self, stage: &Stage) -> Result<(Self, Duration, Duration), BenchError> {
        let Self { mut runtime_api, process, init } = self;
        let event = stage.event();
        let before = process.cpu().await?;
        let answered = runtime_api.invoke(event).await?;
        runtime_api.waiting().await?;
        let cpu = process.cpu().await?.saturating_sub(before);
        stage.check(&answered.payload)?;
        Ok((Self { runtime_api, process, init }, answered.duration, cpu))
    }
}

impl Starts {
    /// Starts the binary so many times, one after the other, and as often again to invoke it once: what an invocation
    /// leaves in the CPU's caches is no part of a start.
    pub(crate) async fn measure(stage: &Stage, binary: &Path, starts: usize) -> Result<Self, BenchError> {
        let mut measured = Self::default();
        for _ in 0..starts {
            let running = start(stage, binary).await?;
            measured.init.push(running.init);
            measured.init_cpu.push(running.process.cpu().await?);
        }
        for _ in 0..starts {
            let running = start(stage, binary).await?;
            let connections = stage.engine.connections();
            let (_running, first, first_cpu) = running.invoke(stage).await?;
            measured.first.push(first);
            measured.first_cpu.push(first_cpu);
            measured.first_connections = measured.first_connections.max(stage.engine.connections() - connections);
        }
        Ok(measured)
    }
}

impl Warm {
    /// Invokes one process so many times.
    pub(crate) async fn measure(stage: &Stage, binary: &Path, invocations: usize) -> Result<Self, BenchError> {
        let mut running = start(stage, binary).await?;
        let (mut durations, mut cpu_times) = (Vec::new(), Vec::new());
        for invocation in 0..SETTLING + invocations {
            let (next, duration, cpu) = running.invoke(stage).await?;
            running = next;
            if invocation >= SETTLING {
                durations.push(duration);
                cpu_times.push(cpu);
            }
        }
        let peak_memory = running.process.peak_memory()?;
        stage.engine.set_delay(COUNTING_DELAY);
        stage.engine.take_calls();
        running.invoke(stage).await?;
        let calls = stage.engine.take_calls();
        stage.engine.set_delay(Duration::ZERO);
        Ok(Self { duration: Distribution::of(durations), cpu: Distribution::of(cpu_times), peak_memory, calls })
    }
}
