use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// The X-Ray trace of every invocation.
pub const TRACE_ID: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";

/// The reply of a process to one event.
pub struct Reply {
    /// The text of its response, or of the error that it reports.
    pub text: Result<String, String>,
    /// From the event handed out to the whole reply received.
    pub duration: Duration,
}

/// The Runtime API of one process, and its AppConfig extension. Dropping it ends it.
///
/// Source: Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes" (version 2018-06-01).
pub struct RuntimeApiServer {
    address: SocketAddr,
    api: Arc<Api>,
    task: JoinHandle<()>,
}

struct Api {
    function_name: String,
    time_left: StdMutex<Duration>,
    queued: AtomicU64,
    to_queue: mpsc::UnboundedSender<Invocation>,
    queue: Mutex<mpsc::UnboundedReceiver<Invocation>>,
    /// The invocations that the process works on, by request id.
    under_way: StdMutex<HashMap<String, (Instant, oneshot::Sender<Reply>)>>,
    asked: watch::Sender<Asked>,
    configuration_is_held: watch::Sender<bool>,
}

/// The number of times that a process has asked for an event, and the time of the last one.
#[derive(Clone, Copy, Default)]
struct Asked {
    times: usize,
    last: Option<Instant>,
}

struct Invocation {
    request_id: String,
    event: String,
    reply: oneshot::Sender<Reply>,
}

impl RuntimeApiServer {
    /// Starts the Runtime API of a function whose invocations may take this long.
    pub async fn start(function_name: &str, time_left: Duration) -> Self {
        let (to_queue, queue) = mpsc::unbounded_channel();
        let api = Arc::new(Api {
            function_name: function_name.to_owned(),
            time_left: StdMutex::new(time_left),
            queued: AtomicU64::new(0),
            to_queue,
            queue: Mutex::new(queue),
            under_way: StdMutex::default(),
            asked: watch::Sender::default(),
            configuration_is_held: watch::Sender::default(),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{request_id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{request_id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(async || StatusCode::ACCEPTED))
            .route("/applications/{application}/environments/test/configurations/logging", get(logging))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&api));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        // Without it answers would wait for each other's acknowledgement.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("the Runtime API serves") });
        Self { address, api, task }
    }

    /// The port of the loopback interface that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Sets how long invocations may take that are handed out from now on.
    pub fn set_time_left(&self, time_left: Duration) {
        *self.api.time_left.lock().unwrap_or_else(PoisonError::into_inner) = time_left;
    }

    /// Has the AppConfig extension hold its answers back, or give those that it holds.
    pub fn hold_configuration(&self, held: bool) {
        self.api.configuration_is_held.send_replace(held);
    }

    /// Waits until the process has asked for an event so many times, and returns when it did so last.
    pub async fn asked(&self, times: usize) -> Instant {
        let mut asked = self.api.asked.subscribe();
        let asked = asked.wait_for(|asked| asked.times >= times).await;
        asked.expect("the sender lives as long as the server").last.expect("the process has asked")
    }

    /// Queues an event; returns its request id and where the reply will be.
    pub fn queue(&self, event: String) -> (String, oneshot::Receiver<Reply>) {
        let number = self.api.queued.fetch_add(1, Ordering::SeqCst) + 1;
        let request_id = request_id(number);
        let (reply, receiver) = oneshot::channel();
        let invocation = Invocation { request_id: request_id.clone(), event, reply };
        self.api.to_queue.send(invocation).expect("the receiver lives as long as the server");
        (request_id, receiver)
    }
}

impl Drop for RuntimeApiServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn request_id(number: u64) -> String {
    format!("8476a536-e9f4-11e8-9739-{number:012x}")
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    api.asked.send_modify(|asked| *asked = Asked { times: asked.times + 1, last: Some(Instant::now()) });
    let Some(Invocation { request_id, event, reply }) = api.queue.lock().await.recv().await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let time_left = *api.time_left.lock().unwrap_or_else(PoisonError::into_inner);
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + time_left;
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", request_id.clone()),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            format!("arn:aws:lambda:us-east-1:123456789012:function:{}", api.function_name),
        ),
        ("lambda-runtime-trace-id", TRACE_ID.to_owned()),
    ];
    api.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(request_id, (Instant::now(), reply));
    (headers, event).into_response()
}

async fn response(State(api): State<Arc<Api>>, Path(request_id): Path<String>, text: String) -> StatusCode {
    api.finish(&request_id, Ok(text))
}

async fn error(State(api): State<Arc<Api>>, Path(request_id): Path<String>, text: String) -> StatusCode {
    api.finish(&request_id, Err(text))
}

/// AppConfig's profile `logging`, as the extension answers.
async fn logging(State(api): State<Arc<Api>>, Path(application): Path<String>) -> Result<&'static str, StatusCode> {
    let mut held = api.configuration_is_held.subscribe();
    drop(held.wait_for(|held| !*held).await);
    if application == api.function_name { Ok(r#"{"logging":"TRACE"}"#) } else { Err(StatusCode::NOT_FOUND) }
}

impl Api {
    fn finish(&self, request_id: &str, text: Result<String, String>) -> StatusCode {
        let ended = Instant::now();
        let waiting = self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(request_id);
        // A test that no longer waits for the reply has ended.
        match waiting.map(|(began, waiting)| waiting.send(Reply { text, duration: ended - began })) {
            Some(_) => StatusCode::ACCEPTED,
            None => StatusCode::BAD_REQUEST,
        }
    }
}
