//! A stand-in for AWS: CloudFormation's query protocol with the states of its documentation, tables in the embedded
//! DynamoDB, a bucket's settings, log groups and the caller's identity, all behind one endpoint.
//!
//! Each operation names the page of AWS's documentation that its answer is written from. Operations take effect at
//! once; their states are shown in progress for [`Cloud::set_lag`] looks first.

mod bucket;
mod change_set;
mod cloudformation;
mod document;
mod resources;
mod stack;
mod table;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use axum::body::{Body, to_bytes};
use axum::extract::State as Shared;
use axum::http::{Request, Response};
use firefly_deploy::{Account, EnvironmentName, Options, Waits};
use tokio::net::TcpListener;
use tokio::sync::Notify;

pub(crate) use bucket::Bucket;
pub(crate) use change_set::ChangeSet;
pub(crate) use stack::{Resource, Stack};
pub(crate) use table::Tables;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-central-1";
/// The environment that the account holds.
pub(crate) const ENVIRONMENT: &str = "production";
pub(crate) const BOOTSTRAP_STACK: &str = "firefly-bootstrap";

static BOOTSTRAP: &str = include_str!("../../../../stacks/bootstrap.yaml");

/// What the stand-in knows.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) stacks: Vec<Stack>,
    pub(crate) change_sets: Vec<ChangeSet>,
    pub(crate) tables: Tables,
    pub(crate) buckets: BTreeMap<String, Bucket>,
    pub(crate) log_groups: BTreeSet<String>,
    /// Every call, such as `cloudformation:DescribeStacks`.
    pub(crate) calls: Vec<String>,
    /// Looks for which an operation is shown in progress.
    pub(crate) lag: usize,
    /// Code and message with which every call of a name is refused.
    pub(crate) refuse: BTreeMap<&'static str, (&'static str, &'static str)>,
    /// Reason with which the next change set fails, and what validation says of it.
    pub(crate) refuse_change: Option<(&'static str, &'static str)>,
    /// Reason with which the next execution fails.
    pub(crate) fail_execution: Option<&'static str>,
    /// Reason with which every rollback that is continued fails.
    pub(crate) fail_rollback: Option<&'static str>,
    /// Type and template of every change set, in order.
    pub(crate) templates: Vec<(String, String)>,
    /// The roles CloudFormation was given, in order.
    pub(crate) roles: Vec<Option<String>>,
    /// The call whose answer is lost, counted from one.
    cut: Option<usize>,
    made: usize,
}

/// A running stand-in.
pub(crate) struct Cloud {
    state: Arc<Mutex<State>>,
    endpoint: String,
    lost: Arc<Notify>,
    lines: Rc<RefCell<Vec<String>>>,
}

impl Cloud {
    /// An account with the stack bootstrap and nothing else.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let mut state = State::default();
        let given = [("Environment".to_owned(), ENVIRONMENT.to_owned())].into();
        state.put_stack_with(BOOTSTRAP_STACK, "CREATE_COMPLETE", BOOTSTRAP, "CREATE_COMPLETE", given);
        let state = Arc::new(Mutex::new(state));
        let lost = Arc::new(Notify::new());
        let router = axum::Router::new().fallback(answer).with_state((Arc::clone(&state), Arc::clone(&lost)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { state, endpoint, lost, lines: Rc::default() }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn set_lag(&self, looks: usize) {
        self.state().lag = looks;
    }

    /// The account, as a run of the program sees it: no time passes between two looks.
    pub(crate) async fn account(&self) -> Account {
        self.account_of_run(1).await
    }

    pub(crate) async fn account_of_run(&self, run: u64) -> Account {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test")))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .endpoint_url(&self.endpoint)
            .build();
        let lines = Rc::clone(&self.lines);
        let variables = [("FIREFLY_ENVIRONMENT".to_owned(), ENVIRONMENT.to_owned())].into();
        let options = Options {
            environment: EnvironmentName::from_environment(&variables).unwrap(),
            role_arn: Some("arn:aws:iam::123456789012:role/firefly-cloudformation".to_owned()),
            waits: Waits { interval: Duration::ZERO, looks: 20 },
            run,
            s3_path_style: true,
            progress: Box::new(move |line| lines.borrow_mut().push(line.to_owned())),
        };
        Account::new(&config, options).await.unwrap()
    }

    /// The lines of progress of every run.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// The calls that change something.
    pub(crate) fn changes(&self) -> Vec<String> {
        let reads = |call: &str| {
            let action = call.split_once(':').map_or(call, |(_, action)| action);
            ["Describe", "List", "Get", "Head"].iter().any(|prefix| action.starts_with(prefix))
        };
        self.state().calls.iter().filter(|call| !reads(call)).cloned().collect()
    }

    /// Loses the answer to the call of this number, counted from now.
    pub(crate) fn lose(&self, call: Option<usize>) {
        let mut state = self.state();
        state.cut = call;
        state.made = 0;
    }

    /// Calls made since [`Cloud::lose`].
    pub(crate) fn made(&self) -> usize {
        self.state().made
    }

    /// Returns when the answer was lost.
    pub(crate) async fn lost(&self) {
        self.lost.notified().await;
    }
}

/// A request as the services see it.
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) owner: Option<String>,
    pub(crate) body: Vec<u8>,
}

type Parts = (Arc<Mutex<State>>, Arc<Notify>);

async fn answer(Shared((state, lost)): Shared<Parts>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (target, kind) = (header("x-amz-target"), header("content-type").unwrap_or_default());
    let call = Call {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: form(head.uri.query().unwrap_or_default()),
        owner: header("x-amz-expected-bucket-owner"),
        body: to_bytes(body, 1 << 20).await.unwrap().to_vec(),
    };
    let (response, cut) = {
        let mut state = state.lock().unwrap();
        let response = match target.as_deref().and_then(|target| target.split_once('.')) {
            Some(("DynamoDB_20120810", action)) => table::answer(&mut state, action, &call.body),
            Some(("Logs_20140328", action)) => logs(&mut state, action, &call.body),
            _ if kind.starts_with("application/x-www-form-urlencoded") => {
                let parameters = form(&String::from_utf8_lossy(&call.body));
                match parameters.get("Version").map(String::as_str) {
                    Some("2011-06-15") => identity(&mut state),
                    _ => cloudformation::answer(&mut state, &parameters),
                }
            }
            _ => bucket::answer(&mut state, &call),
        };
        state.made += 1;
        let cut = state.cut == Some(state.made);
        (response, cut)
    };
    if cut {
        lost.notify_one();
        std::future::pending::<()>().await;
    }
    response
}

/// Decodes `application/x-www-form-urlencoded`.
fn form(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

pub(crate) fn response(status: u16, kind: &str, body: impl Into<String>) -> Response<Body> {
    Response::builder().status(status).header("content-type", kind).body(Body::from(body.into())).unwrap()
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The policy of the deploy role.
static DEPLOY_ROLE: LazyLock<&str> = LazyLock::new(|| {
    let (_, role) = BOOTSTRAP.split_once("\n  DeployRole:\n").unwrap();
    role.split_once("\n  CloudFormationRole:\n").unwrap().0
});

/// The IAM action of a call. Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3":
/// some of S3's calls have actions of other names.
fn action(call: &str) -> &str {
    match call {
        "s3:HeadBucket" => "s3:ListBucket",
        "s3:GetBucketEncryption" => "s3:GetEncryptionConfiguration",
        "s3:GetPublicAccessBlock" => "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketLifecycleConfiguration" => "s3:GetLifecycleConfiguration",
        call => call,
    }
}

impl State {
    /// Notes a call, and answers it if it is one of those that are refused.
    ///
    /// Every call is one that the deploy role of the stack bootstrap may make.
    pub(crate) fn call(&mut self, name: String) -> Option<(&'static str, &'static str)> {
        let action = action(&name);
        let granted = [format!("- {action}\n"), format!("Action: {action}\n")];
        let granted = granted.iter().any(|line| DEPLOY_ROLE.contains(line)) || action == "sts:GetCallerIdentity";
        assert!(granted, "the deploy role may not {action}");
        let refused = self.refuse.iter().find(|(call, _)| **call == name).map(|(_, refusal)| *refusal);
        self.calls.push(name);
        refused
    }
}

/// CloudWatch Logs API Reference: DescribeLogGroups, DeleteLogGroup.
fn logs(state: &mut State, action: &str, body: &[u8]) -> Response<Body> {
    let json = "application/x-amz-json-1.1";
    if let Some((code, message)) = state.call(format!("logs:{action}")) {
        return response(400, json, serde_json::json!({"__type": code, "message": message}).to_string());
    }
    let request: serde_json::Value = serde_json::from_slice(body).unwrap();
    match action {
        "DescribeLogGroups" => {
            let prefix = request["logGroupNamePrefix"].as_str().unwrap();
            let groups = state.log_groups.iter().filter(|name| name.starts_with(prefix));
            let groups: Vec<_> = groups.map(|name| serde_json::json!({"logGroupName": name})).collect();
            response(200, json, serde_json::json!({"logGroups": groups}).to_string())
        }
        "DeleteLogGroup" => {
            if state.log_groups.remove(request["logGroupName"].as_str().unwrap()) {
                return response(200, json, "");
            }
            let missing = "The specified log group does not exist.";
            response(
                400,
                json,
                serde_json::json!({"__type": "ResourceNotFoundException", "message": missing}).to_string(),
            )
        }
        _ => panic!("logs:{action}"),
    }
}

/// AWS STS API Reference: GetCallerIdentity, Examples.
fn identity(state: &mut State) -> Response<Body> {
    if let Some((code, message)) = state.call("sts:GetCallerIdentity".to_owned()) {
        return cloudformation::refusal(403, code, message);
    }
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::{ACCOUNT}:user/Alice</Arn><UserId>AIDACKCEVSQ6C2EXAMPLE</UserId><Account>{ACCOUNT}</Account>\
         </GetCallerIdentityResult><ResponseMetadata><RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId>\
         </ResponseMetadata></GetCallerIdentityResponse>"
    );
    response(200, "text/xml", body)
}
