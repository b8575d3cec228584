//! Invocations after a pause: over connections that are alive, and over connections that were dropped without a word.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use serde::Serialize;

use crate::bootstrap::{self, Bootstrap, HELLO};
use crate::error::BenchError;
use crate::measure::{self, Distribution, Running};
use crate::report::table;
use crate::scenario::Stage;

/// Invocations before the pause: caches, allocator and connections settle.
const SETTLING: usize = 30;

/// The times of the invocations of one kind.
#[derive(Default)]
struct Times {
    durations: Vec<Duration>,
    /// From before the pause to the end of the invocation.
    cpu: Vec<Duration>,
}

#[derive(Serialize)]
struct Figures {
    duration: Distribution,
    cpu: Distribution,
}

#[derive(Serialize)]
struct Row {
    scenario: &'static str,
    alive: Figures,
    dropped: Figures,
}

/// The figures of all scenarios that call AWS.
#[derive(Serialize)]
pub(crate) struct Report {
    idle_seconds: u64,
    rows: Vec<Row>,
}

/// A process that has been invoked, and its CPU time until then.
struct Settled {
    running: Running,
    cpu: Duration,
}

impl Settled {
    async fn start(stage: &Stage, bootstraps: &[Bootstrap]) -> Result<Self, BenchError> {
        let mut running = measure::start(stage, &bootstrap::of(bootstraps, stage.scenario.function)?.path).await?;
        for _ in 0..SETTLING {
            running = running.invoke(stage).await?.0;
        }
        Ok(Self { cpu: running.cpu().await?, running })
    }

    async fn invoke(self, stage: &Stage, times: &mut Times) -> Result<(), BenchError> {
        let (running, duration, _) = self.running.invoke(stage).await?;
        times.durations.push(duration);
        times.cpu.push(running.cpu().await?.saturating_sub(self.cpu));
        Ok(())
    }
}

/// Pauses so often, with two processes of each scenario that wait at the same time.
pub(crate) async fn measure(
    stages: &[Stage],
    bootstraps: &[Bootstrap],
    pause: Duration,
    rounds: usize,
) -> Result<Report, BenchError> {
    let stages: Vec<_> = stages.iter().filter(|stage| stage.scenario.function != HELLO).collect();
    let mut times: Vec<_> = stages.iter().map(|_| (Times::default(), Times::default())).collect();
    for _ in 0..rounds {
        let mut waiting = Vec::new();
        for stage in &stages {
            waiting.push((Settled::start(stage, bootstraps).await?, Settled::start(stage, bootstraps).await?));
        }
        tokio::time::sleep(pause).await;
        for ((stage, (first, second)), (alive, dropped)) in stages.iter().zip(waiting).zip(&mut times) {
            first.invoke(stage, alive).await?;
            stage.engine.fall_silent();
            second.invoke(stage, dropped).await?;
        }
    }
    let rows = stages.iter().zip(times).map(|(stage, (alive, dropped))| Row {
        scenario: stage.scenario.name,
        alive: alive.figures(),
        dropped: dropped.figures(),
    });
    Ok(Report { idle_seconds: pause.as_secs(), rows: rows.collect() })
}

impl Times {
    fn figures(self) -> Figures {
        Figures { duration: Distribution::of(self.durations), cpu: Distribution::of(self.cpu) }
    }
}

impl Display for Report {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let head = format!("after {} s", self.idle_seconds);
        table(
            formatter,
            [head.as_str(), "alive p50 ms", "CPU ms", "dropped p50 ms", "CPU ms"],
            self.rows.iter().map(|row| {
                let ms = |distribution: Distribution| format!("{:.2}", distribution.p50_us / 1e3);
                let (alive, dropped) = (&row.alive, &row.dropped);
                let figures = [alive.duration, alive.cpu, dropped.duration, dropped.cpu].map(ms);
                let [alive, alive_cpu, dropped, dropped_cpu] = figures;
                [row.scenario.to_owned(), alive, alive_cpu, dropped, dropped_cpu]
            }),
        )
    }
}
