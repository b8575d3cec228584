//! A stand-in for AWS behind one endpoint.
//!
//! It has CloudFormation's query protocol with the documented states, tables in the embedded DynamoDB, a bucket's
//! settings, log groups and the caller's identity. Each operation names the page of AWS's documentation from which its
//! answer is written. Operations take effect at once; their states are shown in progress for [`Cloud::set_lag`] looks.

mod account;
mod bucket;
mod change_set;
mod change_set_actions;
mod cloudformation;
mod document;
mod dynamodb;
mod http;
mod query;
mod resources;
mod s3;
mod stack;
mod stack_actions;
mod state;
mod table;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use axum::body::{Body, to_bytes};
use axum::extract::State as Shared;
use axum::http::{Request, Response};
use firefly_deploy::{Account, AccountOptions, EnvironmentName, Waits};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use account::BOOTSTRAP;
use http::{Call, form, response};
use state::State;

pub(crate) use account::{ACCOUNT, BOOTSTRAP_STACK, ENVIRONMENT, REGION};
pub(crate) use bucket::Bucket;

/// A running stand-in.
pub(crate) struct Cloud {
    state: Arc<Mutex<State>>,
    endpoint: String,
    lost: Arc<Notify>,
    lines: Rc<RefCell<Vec<String>>>,
}

impl Cloud {
    /// Starts an account that has only the stack bootstrap.
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

    /// Connects to the account as a run of the program does, but without time between two looks.
    pub(crate) async fn account(&self) -> Account {
        self.account_of_run(1).await
    }

    pub(crate) async fn account_of_run(&self, run: u64) -> Account {
        let config = self.config();
        let lines = Rc::clone(&self.lines);
        let variables = [("FIREFLY_ENVIRONMENT".to_owned(), ENVIRONMENT.to_owned())].into();
        let options = AccountOptions {
            environment: EnvironmentName::from_environment(&variables).unwrap(),
            role_arn: Some("arn:aws:iam::123456789012:role/firefly-cloudformation".to_owned()),
            waits: Waits { interval: Duration::ZERO, looks: 20 },
            run,
            s3_path_style: true,
            progress: Box::new(move |line| lines.borrow_mut().push(line.to_owned())),
        };
        Account::new(&config, options).await.unwrap()
    }

    /// Returns a client of CloudFormation, as other tools have one.
    pub(crate) fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.config())
    }

    fn config(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test")))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .endpoint_url(&self.endpoint)
            .build()
    }

    /// Returns the lines of progress of every run.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// Forgets the lines so far.
    pub(crate) fn clear_lines(&self) {
        self.lines.borrow_mut().clear();
    }

    /// Returns the calls that change something.
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

    /// Returns the number of calls since [`Cloud::lose`].
    pub(crate) fn made(&self) -> usize {
        self.state().made
    }

    /// Waits until the answer is lost.
    pub(crate) async fn lost(&self) {
        self.lost.notified().await;
    }
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
            Some(("DynamoDB_20120810", action)) => dynamodb::answer(&mut state, action, &call.body),
            Some(("Logs_20140328", action)) => logs(&mut state, action, &call.body),
            _ if kind.starts_with("application/x-www-form-urlencoded") => {
                let parameters = form(&String::from_utf8_lossy(&call.body));
                match parameters.get("Version").map(String::as_str) {
                    Some("2011-06-15") => identity(&mut state),
                    _ => cloudformation::answer(&mut state, &parameters),
                }
            }
            _ => s3::answer(&mut state, &call),
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

/// Answers a call of CloudWatch Logs. API Reference: DescribeLogGroups, DeleteLogGroup.
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

/// Answers a call of STS. API Reference: GetCallerIdentity, Examples.
fn identity(state: &mut State) -> Response<Body> {
    if let Some((code, message)) = state.call("sts:GetCallerIdentity".to_owned()) {
        return query::refusal(403, code, message);
    }
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::{ACCOUNT}:user/Alice</Arn><UserId>AIDACKCEVSQ6C2EXAMPLE</UserId><Account>{ACCOUNT}</Account>\
         </GetCallerIdentityResult><ResponseMetadata><RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId>\
         </ResponseMetadata></GetCallerIdentityResponse>"
    );
    response(200, "text/xml", body)
}
