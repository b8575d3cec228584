//! The Lambda Runtime API of one process, which hands out one event at a time and notes when the reply is there.
//!
//! Source: Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes" (version 2018-06-01).

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::sync::{mpsc, oneshot};

use crate::error::BenchError;
use crate::server::{Server, reply};

/// How long a process may take for anything.
const HANG: Duration = Duration::from_secs(30);
/// The time until the function's timeout that it is told.
const TIME_LEFT: Duration = Duration::from_secs(20);

/// What the process has asked for or answered.
enum Said {
    Next { at: Instant, event: oneshot::Sender<String> },
    Reply { at: Instant, payload: Bytes },
    Error(Bytes),
}

/// The Runtime API of one process.
pub(crate) struct RuntimeApi {
    function: String,
    server: Server,
    said: mpsc::UnboundedReceiver<Said>,
}

/// A process that waits for an event.
pub(crate) struct Waiting {
    /// When it asked.
    pub(crate) since: Instant,
    event: oneshot::Sender<String>,
}

/// An answered event.
pub(crate) struct Answered {
    /// From the event handed out to the whole reply received.
    pub(crate) duration: Duration,
    /// The reply.
    pub(crate) payload: Bytes,
}

impl RuntimeApi {
    pub(crate) async fn start(function: &str) -> Result<Self, BenchError> {
        let (say, said) = mpsc::unbounded_channel();
        let arn = format!("arn:aws:lambda:us-east-1:123456789012:function:firefly-{function}");
        let arn: Arc<str> = arn.into();
        let server = Server::start(None, move |request| handle(request, say.clone(), Arc::clone(&arn))).await?;
        Ok(Self { function: function.to_owned(), server, said })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> String {
        self.server.address()
    }

    /// Waits until the process asks for an event.
    pub(crate) async fn waiting(&mut self) -> Result<Waiting, BenchError> {
        match self.said().await? {
            Said::Next { at, event } => Ok(Waiting { since: at, event }),
            Said::Reply { .. } => Err(self.problem("it has answered twice")),
            Said::Error(text) => Err(self.problem(&String::from_utf8_lossy(&text))),
        }
    }

    /// Hands out an event and waits for the reply.
    pub(crate) async fn invoke(&mut self, waiting: Waiting, event: String) -> Result<Answered, BenchError> {
        let started = Instant::now();
        waiting.event.send(event).map_err(|_| self.problem("it no longer waits"))?;
        match self.said().await? {
            Said::Reply { at, payload } => Ok(Answered { duration: at - started, payload }),
            Said::Next { .. } => Err(self.problem("it has not answered")),
            Said::Error(text) => Err(self.problem(&String::from_utf8_lossy(&text))),
        }
    }

    async fn said(&mut self) -> Result<Said, BenchError> {
        let said = tokio::time::timeout(HANG, self.said.recv()).await;
        said.ok().flatten().ok_or_else(|| self.problem("it has ended or hangs"))
    }

    fn problem(&self, problem: &str) -> BenchError {
        BenchError::Function { function: self.function.clone(), problem: problem.to_owned() }
    }
}

async fn handle(request: Request<Bytes>, say: mpsc::UnboundedSender<Said>, arn: Arc<str>) -> Response<Full<Bytes>> {
    let at = Instant::now();
    let path = request.uri().path();
    if path.ends_with("/invocation/next") {
        let (event, to_come) = oneshot::channel();
        let _ = say.send(Said::Next { at, event });
        // Nobody will hand out an event any more: the process is about to be killed.
        let Ok(event) = to_come.await else { return reply(500, &[], "") };
        return invocation(event, &arn);
    }
    let said = if path.ends_with("/response") {
        Said::Reply { at, payload: request.into_body() }
    } else {
        Said::Error(request.into_body())
    };
    let _ = say.send(said);
    reply(202, &[("content-type", "application/json")], r#"{"status":"OK"}"#)
}

fn invocation(event: String, arn: &str) -> Response<Full<Bytes>> {
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + TIME_LEFT;
    let headers = [
        ("content-type", "application/json"),
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", &deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", arn),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"),
    ];
    reply(200, &headers, event)
}
