//! Faults of single calls, for tests: proxies in front of emulators make them fail.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::Request;
use tokio::sync::watch;

use crate::proxy::{End, Proxy, cut, dropped, dropped_after};

/// The fate of one call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The call passes, and the emulator answers.
    Pass,
    /// This is the answer; the emulator does not see the call.
    Answer(Answer),
    /// The connection ends; the emulator does not see the call.
    DropCall,
    /// The emulator does the work; the connection ends in place of its answer.
    DropAnswer,
    /// The emulator answers, but the connection ends after so many bytes of the answer's body.
    CutAnswer(usize),
    /// The emulator answers, but no more than so many bytes of the answer's body arrive, and the connection stays open.
    StallAnswer(usize),
    /// The call waits for [`Faults::release`], and then meets this fault.
    Hold(Box<Self>),
}

/// An answer in an emulator's place.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers other than `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

/// The text that every error of [`Fault`] names and no client of a program may read.
pub const INTERNALS: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/the-table internal-detail";

impl Fault {
    /// An error as DynamoDB and AppConfig answer it (AWS JSON).
    #[must_use]
    pub fn json_error(status: u16, code: &str) -> Self {
        let body = format!(r#"{{"__type":"com.amazonaws#{code}","message":"{code} on {INTERNALS}"}}"#);
        Self::Answer(Answer { status, headers: vec![("x-amzn-errortype", code.to_owned())], body: body.into() })
    }

    /// DynamoDB's TransactionCanceledException with one reason for each item: `None` where an item is not the cause.
    #[must_use]
    pub fn cancelled(reasons: &[&str]) -> Self {
        let list: Vec<_> = reasons.iter().map(|code| format!(r#"{{"Code":"{code}","Message":"{code}"}}"#)).collect();
        let (names, list) = (reasons.join(", "), list.join(","));
        let body = format!(
            r#"{{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message":"Transaction cancelled, please refer cancellation reasons [{names}]","CancellationReasons":[{list}]}}"#
        );
        Self::bytes(400, body)
    }

    /// An error as S3 answers it (XML).
    #[must_use]
    pub fn xml_error(status: u16, code: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{code} on {INTERNALS}</Message>\
             <Resource>/{INTERNALS}</Resource><RequestId>4442587FB7D0A2F9</RequestId></Error>"
        );
        let headers = vec![("content-type", "application/xml".to_owned())];
        Self::Answer(Answer { status, headers, body: body.into() })
    }

    /// An answer without headers.
    pub fn bytes(status: u16, body: impl Into<Bytes>) -> Self {
        Self::Answer(Answer { status, headers: Vec::new(), body: body.into() })
    }
}

impl Answer {
    fn into_response(self) -> io::Result<Response> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(Body::from(self.body)).map_err(io::Error::other)
    }
}

/// Proxies in front of emulators that make calls fail by their kind `K`.
#[derive(Debug)]
pub struct Faults<K>(Arc<State<K>>);

#[derive(Debug)]
struct State<K> {
    kind: fn(&Request<Bytes>) -> Option<K>,
    plans: Mutex<HashMap<K, Plan>>,
    counts: watch::Sender<HashMap<K, usize>>,
    releases: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Plan {
    next: VecDeque<Fault>,
    then: Option<Fault>,
}

impl<K> Clone for Faults<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Faults<K> {
    /// Faults of calls whose kind `kind` tells; a call without a kind passes uncounted.
    pub fn new(kind: fn(&Request<Bytes>) -> Option<K>) -> Self {
        let (plans, counts, releases) = (Mutex::default(), watch::Sender::default(), watch::Sender::default());
        Self(Arc::new(State { kind, plans, counts, releases }))
    }

    /// Listens on a free port in front of `upstream` (`http://HOST:PORT`) and returns the URL of that port.
    ///
    /// # Errors
    /// Those of [`Proxy::listen`].
    pub async fn in_front_of(&self, upstream: &str) -> io::Result<String> {
        let state = Arc::clone(&self.0);
        Proxy::listen(upstream, move |proxy, request| answer(Arc::clone(&state), proxy, request)).await
    }

    /// The next calls of this kind meet these faults, in this order; those after them pass.
    pub fn next(&self, kind: impl Into<K>, faults: impl IntoIterator<Item = Fault>) {
        let plan = Plan { next: faults.into_iter().collect(), then: None };
        self.0.plans().insert(kind.into(), plan);
    }

    /// Every call of this kind meets this fault.
    pub fn every(&self, kind: impl Into<K>, fault: Fault) {
        self.0.plans().insert(kind.into(), Plan { next: VecDeque::new(), then: Some(fault) });
    }

    /// From now on all calls pass.
    pub fn mend(&self) {
        self.0.plans().clear();
    }

    /// The number of calls of this kind that have arrived, the SDK's retries included.
    pub fn count(&self, kind: impl Into<K>) -> usize {
        self.0.counts.borrow().get(&kind.into()).copied().unwrap_or_default()
    }

    /// Waits until so many calls of this kind have arrived since the start.
    pub async fn arrived(&self, kind: impl Into<K>, calls: usize) {
        let (kind, mut counts) = (kind.into(), self.0.counts.subscribe());
        // The sender lives as long as `self`.
        let _ = counts.wait_for(|counts| counts.get(&kind).is_some_and(|count| *count >= calls)).await;
    }

    /// Lets the calls go on that are held now.
    pub fn release(&self) {
        self.0.releases.send_modify(|releases| *releases += 1);
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    fn plans(&self) -> MutexGuard<'_, HashMap<K, Plan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and decides what happens to it.
    fn arrives(&self, kind: K) -> Fault {
        let fault = self.plans().get_mut(&kind).and_then(|plan| plan.next.pop_front().or_else(|| plan.then.clone()));
        self.counts.send_modify(|counts| *counts.entry(kind).or_default() += 1);
        fault.unwrap_or(Fault::Pass)
    }
}

async fn answer<K: Clone + Eq + Hash>(
    state: Arc<State<K>>,
    proxy: Proxy,
    request: Request<Bytes>,
) -> io::Result<Response> {
    let mut released = state.releases.subscribe();
    let before = *released.borrow_and_update();
    let mut fault = (state.kind)(&request).map_or(Fault::Pass, |kind| state.arrives(kind));
    while let Fault::Hold(then) = fault {
        released.wait_for(|releases| *releases > before).await.map_err(io::Error::other)?;
        fault = *then;
    }
    match fault {
        Fault::Answer(answer) => answer.into_response(),
        Fault::DropCall => dropped(),
        Fault::DropAnswer => dropped_after(proxy.forward(request).await?).await,
        Fault::CutAnswer(length) => cut(proxy.forward(request).await?, length, End::Reset).await,
        Fault::StallAnswer(length) => cut(proxy.forward(request).await?, length, End::Stall).await,
        Fault::Pass | Fault::Hold(_) => proxy.forward(request).await,
    }
}
