//! Proxies in front of the engines that make single AWS calls of the functions fail.

mod outage;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use emulator_kit::proxy::{End, Proxy, cut, dropped, dropped_after};
use http::{Method, Request, Uri};
use serde_json::Value;
use tokio::sync::watch;

pub use outage::{Broken, Outage, assert_outage};

use crate::TestCloud;

/// A call of the functions to AWS: the operation, and for DynamoDB the kind of item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// GetItem of a device.
    GetDevice,
    /// BatchGetItem of a device and its replay record.
    GetDeviceWithRecord,
    /// UpdateItem of a device's replay record.
    WriteReplayRecord,
    /// GetItem of a device's replay record.
    GetReplayRecord,
    /// DeleteItem of a device's replay record.
    DeleteReplayRecord,
    /// DeleteItem of a device.
    DeleteDevice,
    /// UpdateItem of a device.
    UpdateDevice,
    /// TransactWriteItems: a device is written and a key spent.
    WriteAndSpend,
    /// Scan of the devices.
    ScanDevices,
    /// Query of the devices of one product.
    QueryDevices,
    /// GetItem of a registration key.
    GetKey,
    /// GetItem of a count of wrong registration keys.
    GetWrongKeys,
    /// UpdateItem of a count of wrong registration keys.
    CountWrongKey,
    /// PutItem of a registration key.
    PutKey,
    /// Scan of the registration keys.
    ScanKeys,
    /// S3's PutObject.
    PutObject,
    /// S3's HeadObject.
    HeadObject,
    /// S3's GetObject.
    GetObject,
    /// S3's DeleteObject.
    DeleteObject,
    /// S3's ListObjectVersions.
    ListVersions,
    /// S3's HeadObject of one version.
    HeadVersion,
    /// S3's GetObject of one version.
    GetVersion,
    /// S3's DeleteObject of one version.
    DeleteVersion,
    /// AppConfig's StartConfigurationSession.
    StartSession,
    /// AppConfig's GetLatestConfiguration, of the API or of the extension.
    LatestConfiguration,
}

/// The fate of one call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The call passes, and the engine answers.
    Pass,
    /// This is the answer; the engine does not see the call.
    Answer(Answer),
    /// The connection ends; the engine does not see the call.
    DropCall,
    /// The engine does the work; the connection ends in place of its answer.
    DropAnswer,
    /// The engine answers, but the connection ends after so many bytes of the answer's body.
    CutAnswer(usize),
    /// The engine answers, but no more than so many bytes of the answer's body arrive, and the connection stays open.
    StallAnswer(usize),
    /// The call waits for [`Faults::release`], and then meets this fault.
    Hold(Box<Self>),
}

/// An answer in an engine's place.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers other than `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

impl Fault {
    /// An error as DynamoDB and AppConfig answer it (AWS JSON).
    pub fn json_error(status: u16, code: &str) -> Self {
        let message = format!("{code} on {INTERNALS}");
        let body = serde_json::json!({ "__type": format!("com.amazonaws#{code}"), "message": message });
        Self::Answer(Answer {
            status,
            headers: vec![("x-amzn-errortype", code.to_owned())],
            body: body.to_string().into(),
        })
    }

    /// DynamoDB's TransactionCanceledException with one reason for each item: `None` where an item is not the cause.
    pub fn cancelled(reasons: &[&str]) -> Self {
        let code = "TransactionCanceledException";
        let list: Vec<_> = reasons.iter().map(|code| serde_json::json!({ "Code": code, "Message": code })).collect();
        let body = serde_json::json!({
            "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"),
            "Message": format!("Transaction cancelled, please refer cancellation reasons [{}]", reasons.join(", ")),
            "CancellationReasons": list,
        });
        Self::Answer(Answer { status: 400, headers: Vec::new(), body: body.to_string().into() })
    }

    /// An error as S3 answers it (XML).
    pub fn xml_error(status: u16, code: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{code} on {INTERNALS}</Message>\
             <Resource>/{INTERNALS}</Resource><RequestId>4442587FB7D0A2F9</RequestId></Error>"
        );
        let headers = vec![("content-type", "application/xml".to_owned())];
        Self::Answer(Answer { status, headers, body: body.into() })
    }

    /// This answer, with a body of these bytes.
    pub fn bytes(status: u16, body: impl Into<Bytes>) -> Self {
        Self::Answer(Answer { status, headers: Vec::new(), body: body.into() })
    }
}

/// The text that every error of an engine names and no client may read.
pub const INTERNALS: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/firefly-devices internal-detail";

/// Proxies in front of the engines that make single calls fail.
#[derive(Clone, Default)]
pub struct Faults(Arc<State>);

#[derive(Default)]
struct State {
    plans: Mutex<HashMap<Call, Plan>>,
    counts: watch::Sender<HashMap<Call, usize>>,
    releases: watch::Sender<usize>,
}

#[derive(Default)]
struct Plan {
    next: VecDeque<Fault>,
    then: Option<Fault>,
}

impl Faults {
    /// A cloud of its own over the engines of `engines`, whose functions meet the faults, and those faults.
    pub async fn over(engines: &TestCloud) -> (TestCloud, Self) {
        let faults = Self::default();
        let (dynamodb, s3) = engines.endpoints();
        let cloud = engines.through(&faults.in_front_of(dynamodb).await, &faults.in_front_of(s3).await).await;
        (cloud, faults)
    }

    /// Listens on a free port in front of `upstream` (`http://HOST:PORT`) and returns the URL of that port.
    pub async fn in_front_of(&self, upstream: &str) -> String {
        let state = Arc::clone(&self.0);
        let answer = move |proxy, request| answer(Arc::clone(&state), proxy, request);
        Proxy::listen(upstream, answer).await.expect("an engine's endpoint is a URL, and a port is free")
    }

    /// The next calls of this kind meet these faults, in this order; those after them pass.
    pub fn next(&self, call: Call, faults: impl IntoIterator<Item = Fault>) {
        let plan = Plan { next: faults.into_iter().collect(), then: None };
        self.plans().insert(call, plan);
    }

    /// Every call of this kind meets this fault.
    pub fn every(&self, call: Call, fault: Fault) {
        self.plans().insert(call, Plan { next: VecDeque::new(), then: Some(fault) });
    }

    /// From now on all calls pass.
    pub fn mend(&self) {
        self.plans().clear();
    }

    /// The number of calls of this kind that have arrived, the SDK's retries included.
    pub fn count(&self, call: Call) -> usize {
        self.0.counts.borrow().get(&call).copied().unwrap_or_default()
    }

    /// Waits until so many calls of this kind have arrived since the start.
    pub async fn arrived(&self, call: Call, calls: usize) {
        let mut counts = self.0.counts.subscribe();
        let arrived = counts.wait_for(|counts| counts.get(&call).is_some_and(|count| *count >= calls)).await;
        drop(arrived.expect("the sender lives as long as this"));
    }

    /// Lets the calls go on that are held now.
    pub fn release(&self) {
        self.0.releases.send_modify(|releases| *releases += 1);
    }

    fn plans(&self) -> std::sync::MutexGuard<'_, HashMap<Call, Plan>> {
        self.0.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a call and decides what happens to it.
    fn arrives(&self, call: Call) -> Fault {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = plans.entry(call).or_default();
        let fault = plan.next.pop_front().or_else(|| plan.then.clone()).unwrap_or(Fault::Pass);
        drop(plans);
        self.counts.send_modify(|counts| *counts.entry(call).or_default() += 1);
        fault
    }
}

async fn answer(state: Arc<State>, proxy: Proxy, request: Request<Bytes>) -> io::Result<Response> {
    let mut released = state.releases.subscribe();
    let before = *released.borrow_and_update();
    let mut fault = Call::of(&request).map_or(Fault::Pass, |call| state.arrives(call));
    while let Fault::Hold(then) = fault {
        released.wait_for(|releases| *releases > before).await.map_err(io::Error::other)?;
        fault = *then;
    }
    match fault {
        Fault::Answer(answer) => Ok(answer.into_response()),
        Fault::DropCall => dropped(),
        Fault::DropAnswer => dropped_after(proxy.forward(request).await?).await,
        Fault::CutAnswer(length) => cut(proxy.forward(request).await?, length, End::Reset).await,
        Fault::StallAnswer(length) => cut(proxy.forward(request).await?, length, End::Stall).await,
        Fault::Pass | Fault::Hold(_) => proxy.forward(request).await,
    }
}

impl Answer {
    fn into_response(self) -> Response {
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(Body::from(self.body)).expect("a test's answer is one")
    }
}

impl Call {
    fn of(request: &Request<Bytes>) -> Option<Self> {
        match request.headers().get("x-amz-target").map(|target| target.as_bytes()) {
            Some(target) => {
                let operation = target.strip_prefix(b"DynamoDB_20120810.")?;
                Self::of_dynamodb(operation, &serde_json::from_slice(request.body()).ok()?)
            }
            None => Self::of_path(request.method(), request.uri()),
        }
    }

    fn of_dynamodb(operation: &[u8], body: &Value) -> Option<Self> {
        let devices = body["TableName"] == "firefly-devices";
        let replay = body["Key"]["uuid"]["S"].as_str().is_some_and(|key| key.ends_with("#replay"));
        let wrong_keys = body["Key"]["key"]["S"].as_str().is_some_and(|key| key.starts_with("wrong-keys#"));
        match (operation, devices, replay) {
            (b"GetItem", true, false) => Some(Self::GetDevice),
            (b"GetItem", true, true) => Some(Self::GetReplayRecord),
            (b"DeleteItem", true, false) => Some(Self::DeleteDevice),
            (b"DeleteItem", true, true) => Some(Self::DeleteReplayRecord),
            (b"GetItem", false, _) if wrong_keys => Some(Self::GetWrongKeys),
            (b"GetItem", false, _) => Some(Self::GetKey),
            (b"UpdateItem", false, _) if wrong_keys => Some(Self::CountWrongKey),
            (b"UpdateItem", true, false) => Some(Self::UpdateDevice),
            (b"UpdateItem", true, true) => Some(Self::WriteReplayRecord),
            (b"Scan", true, _) => Some(Self::ScanDevices),
            (b"Scan", false, _) => Some(Self::ScanKeys),
            (b"Query", true, _) => Some(Self::QueryDevices),
            (b"PutItem", false, _) => Some(Self::PutKey),
            (b"BatchGetItem", ..) => Some(Self::GetDeviceWithRecord),
            (b"TransactWriteItems", ..) => Some(Self::WriteAndSpend),
            _ => None,
        }
    }

    fn of_path(method: &Method, uri: &Uri) -> Option<Self> {
        let path = uri.path();
        match (path, method) {
            ("/configurationsessions", &Method::POST) => return Some(Self::StartSession),
            ("/configuration", &Method::GET) => return Some(Self::LatestConfiguration),
            (path, &Method::GET) if path.starts_with("/applications/") => return Some(Self::LatestConfiguration),
            _ => {}
        }
        // `/bucket/key`; other operations of S3 have a query without `x-id`.
        let object = path.split('/').count() == 3 && !path.ends_with('/');
        let query = uri.query().unwrap_or_default();
        let plain = query.is_empty() || query.starts_with("x-id=");
        let of_version = query.split('&').any(|part| part.starts_with("versionId="));
        match *method {
            Method::GET if !object && query.split('&').any(|part| part.starts_with("versions")) => {
                Some(Self::ListVersions)
            }
            Method::HEAD if object && of_version => Some(Self::HeadVersion),
            Method::GET if object && of_version => Some(Self::GetVersion),
            Method::DELETE if object && of_version => Some(Self::DeleteVersion),
            Method::PUT if object && plain => Some(Self::PutObject),
            Method::HEAD if object && plain => Some(Self::HeadObject),
            Method::GET if object && plain => Some(Self::GetObject),
            Method::DELETE if object && plain => Some(Self::DeleteObject),
            _ => None,
        }
    }
}
