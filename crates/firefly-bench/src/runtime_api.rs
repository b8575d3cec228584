//! The Lambda Runtime API of one process, which hands out one event at a time.

use std::time::{Duration, Instant};

use firefly_testkit::runtime_api::RuntimeApiServer;

use crate::error::BenchError;

/// The longest time that a process may take for anything.
const HANG: Duration = Duration::from_secs(30);
/// The time until the function's timeout that it is told.
const TIME_LEFT: Duration = Duration::from_secs(20);

/// The Runtime API of one process.
pub(crate) struct RuntimeApi {
    function: String,
    server: RuntimeApiServer,
    /// The number of events that have been handed out.
    invocations: usize,
}

/// An answered event.
pub(crate) struct Answered {
    /// From the event handed out to the whole reply received.
    pub(crate) duration: Duration,
    /// The reply.
    pub(crate) payload: String,
}

impl RuntimeApi {
    pub(crate) async fn start(function: &str) -> Self {
        let server = RuntimeApiServer::start(&format!("firefly-{function}"), TIME_LEFT).await;
        Self { function: function.to_owned(), server, invocations: 0 }
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }

    /// Waits until the process asks for its next event, and returns when it did.
    pub(crate) async fn waiting(&self) -> Result<Instant, BenchError> {
        let asked = tokio::time::timeout(HANG, self.server.asked(self.invocations + 1)).await;
        asked.map_err(|_| self.problem("it has ended or hangs"))
    }

    /// Hands out an event to the waiting process and waits for the reply.
    pub(crate) async fn invoke(&mut self, event: String) -> Result<Answered, BenchError> {
        self.invocations += 1;
        let (_, reply) = self.server.queue(event);
        let reply = tokio::time::timeout(HANG, reply).await.ok().and_then(Result::ok);
        let reply = reply.ok_or_else(|| self.problem("it has ended or hangs"))?;
        let payload = reply.text.map_err(|error| self.problem(&error))?;
        Ok(Answered { duration: reply.duration, payload })
    }

    fn problem(&self, problem: &str) -> BenchError {
        BenchError::Function { function: self.function.clone(), problem: problem.to_owned() }
    }
}
