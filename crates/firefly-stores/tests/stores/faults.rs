//! Faults of single calls, between the stores and the engines.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use emulator_kit::proxy::{self, End, Proxy};
use http::Request;
use tokio::sync::watch;

/// What befalls one call.
#[derive(Clone)]
pub(crate) enum Fault {
    /// Nothing.
    Pass,
    /// This status and body are the answer; the engine does not see the call.
    Answer(u16, String),
    /// DynamoDB leaves all keys of a batch unprocessed.
    Unprocessed,
    /// The engine does the work, and the connection ends in place of its answer.
    LoseAnswer,
    /// The connection ends after so many bytes of the answer's body.
    Cut(usize),
    /// Nothing until [`Faults::release`].
    Hold,
}

impl Fault {
    /// An error of DynamoDB (AWS JSON).
    pub(crate) fn json(status: u16, code: &str) -> Self {
        Self::Answer(status, format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"{code}"}}"#))
    }

    /// An error of S3 (XML).
    pub(crate) fn xml(status: u16, code: &str) -> Self {
        Self::Answer(status, format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>"))
    }

    /// A cancelled transaction, with the reason of each of its items.
    pub(crate) fn cancelled(reasons: &[&str]) -> Self {
        let reasons: Vec<_> = reasons.iter().map(|code| format!(r#"{{"Code":"{code}"}}"#)).collect();
        let code = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
        Self::Answer(400, format!(r#"{{"__type":"{code}","CancellationReasons":[{}]}}"#, reasons.join(",")))
    }
}

/// The plan of faults, by operation: DynamoDB's name of it, or the HTTP method of a call of S3.
#[derive(Clone, Default)]
pub(crate) struct Faults(Arc<State>);

#[derive(Default)]
struct State {
    plans: Mutex<HashMap<&'static str, Plan>>,
    counts: Mutex<HashMap<String, usize>>,
    held: watch::Sender<bool>,
    released: watch::Sender<bool>,
}

#[derive(Default)]
struct Plan {
    next: VecDeque<Fault>,
    then: Option<Fault>,
}

impl Faults {
    /// The next calls of this operation meet these faults; those after them pass.
    pub(crate) fn next(&self, operation: &'static str, faults: impl IntoIterator<Item = Fault>) {
        let plan = Plan { next: faults.into_iter().collect(), then: None };
        self.0.plans.lock().unwrap().insert(operation, plan);
    }

    /// Every call of this operation meets this fault.
    pub(crate) fn every(&self, operation: &'static str, fault: Fault) {
        self.0.plans.lock().unwrap().insert(operation, Plan { next: VecDeque::new(), then: Some(fault) });
    }

    /// From now on all calls pass.
    pub(crate) fn mend(&self) {
        self.0.plans.lock().unwrap().clear();
    }

    /// The number of calls of this operation.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.0.counts.lock().unwrap().get(operation).copied().unwrap_or_default()
    }

    /// Returns when a call is held.
    pub(crate) async fn held(&self) {
        self.0.held.subscribe().wait_for(|held| *held).await.unwrap();
    }

    /// Lets the call that is held pass.
    pub(crate) fn release(&self) {
        self.0.released.send_replace(true);
    }

    /// The URL of a proxy in front of an engine.
    pub(crate) async fn in_front_of(&self, engine: &str) -> String {
        let faults = self.clone();
        let answer = move |proxy: Proxy, request| {
            let faults = faults.clone();
            async move { faults.answer(proxy, request).await }
        };
        Proxy::listen(engine, answer).await.unwrap()
    }

    async fn answer(&self, proxy: Proxy, request: Request<Bytes>) -> io::Result<Response> {
        match self.fault(&operation(&request)) {
            Fault::Pass => proxy.forward(request).await,
            Fault::Answer(status, body) => Ok(response(status, body)),
            Fault::Unprocessed => {
                let body = String::from_utf8(request.body().to_vec()).unwrap();
                Ok(response(
                    200,
                    format!(r#"{{"Responses":{{}},{}"#, &body.replacen("RequestItems", "UnprocessedKeys", 1)[1..]),
                ))
            }
            Fault::LoseAnswer => proxy::dropped_after(proxy.forward(request).await?).await,
            Fault::Cut(length) => proxy::cut(proxy.forward(request).await?, length, End::Reset).await,
            Fault::Hold => {
                self.0.held.send_replace(true);
                self.0.released.subscribe().wait_for(|released| *released).await.unwrap();
                proxy.forward(request).await
            }
        }
    }

    fn fault(&self, operation: &str) -> Fault {
        *self.0.counts.lock().unwrap().entry(operation.to_owned()).or_default() += 1;
        let mut plans = self.0.plans.lock().unwrap();
        let Some(plan) = plans.get_mut(operation) else { return Fault::Pass };
        plan.next.pop_front().or_else(|| plan.then.clone()).unwrap_or(Fault::Pass)
    }
}

fn operation(request: &Request<Bytes>) -> String {
    let target = request.headers().get("x-amz-target").map(|target| target.to_str().unwrap());
    let operation = target.and_then(|target| target.split('.').nth(1));
    operation.unwrap_or(request.method().as_str()).to_owned()
}

fn response(status: u16, body: String) -> Response {
    Response::builder().status(status).body(Body::from(body)).unwrap()
}
