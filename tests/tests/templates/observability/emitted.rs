//! The metrics and log lines of the functions, found by asking them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::replay::UPLOADS_PER_DAY;
use firefly_core::time::UnixSeconds;
use firefly_device::{Identity, random_nonce};
use firefly_functions::{ALL, Caller};
use firefly_runtime::Metrics;
use firefly_testkit::runtime_api::Event;
use firefly_testkit::stored::{DEVICES, item, number, text};
use firefly_testkit::{Invoked, TestCloud, new_device};
use serde_json::Value;

use super::metric::Metric;

/// Lines of JSON that somebody writes.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    pub(super) fn parsed(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A function on a cloud's engines, which writes its metrics into lines.
pub(super) struct Asked<'a> {
    cloud: &'a TestCloud,
    function: Invoked,
}

impl<'a> Asked<'a> {
    pub(super) fn new(cloud: &'a TestCloud, lines: &Lines, name: &str) -> Self {
        Self::with(cloud, lines, name, &[])
    }

    /// A function whose devices table is not there.
    pub(super) fn without_devices(cloud: &'a TestCloud, lines: &Lines, name: &str) -> Self {
        Self::with(cloud, lines, name, &[("DYNAMODB_DEVICES_TABLE_NAME", "firefly-absent")])
    }

    fn with(cloud: &'a TestCloud, lines: &Lines, name: &str, variables: &[(&str, &str)]) -> Self {
        let environment = Invoked::environment(cloud, name, variables);
        Self { cloud, function: Invoked::start(name, &environment, Metrics::new(lines.clone())) }
    }

    /// Answers the recorded event of the route, after a change, with this status.
    pub(super) async fn answers(&self, status: u16, change: impl Fn(Event) -> Event) -> Value {
        let answer = self.function.answer(self.cloud.now(), &change(self.function.event())).await;
        let body = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{}: {body}", self.function.function().name);
        serde_json::from_str(&body).unwrap_or_default()
    }

    /// The same of a request signed some seconds ago.
    pub(super) async fn answers_signed(
        &self,
        status: u16,
        device: &Identity,
        age_seconds: u64,
        change: impl Fn(Event) -> Event,
    ) {
        let sent_at = UnixSeconds::new(self.cloud.now().get() - age_seconds);
        let headers = device.sign(&random_nonce(&mut rand::rng()), sent_at);
        self.answers(status, |event| change(event.signed(&headers))).await;
    }

    /// Answers the genuine event of the route with one of its statuses; a device's sent too late, too, with 401.
    async fn answers_genuine(&self, device: &Identity) {
        let function = self.function.function();
        let event = self.function.event();
        let event = match function.caller {
            Caller::Anyone | Caller::User | Caller::SuperUser => event,
            Caller::Key => event.header("X-Registration-Key", self.cloud.mint().await.as_str()),
            Caller::Device => {
                self.answers_signed(401, device, 11, |event| event).await;
                event.signed(&self.cloud.sign(device))
            }
        };
        let answer = self.function.answer(self.cloud.now(), &event).await;
        assert!(function.statuses.contains(&answer.status), "{}: {}", function.name, answer.status);
    }
}

/// The functions that have written lines.
fn asked(lines: &Lines) -> BTreeSet<String> {
    let names = lines.parsed().into_iter().filter_map(|line| Some(line["FunctionName"].as_str()?.to_owned()));
    names.map(|name| name.trim_start_matches("firefly-").to_owned()).collect()
}

/// A registered device whose replay record cannot be read.
pub(super) async fn with_malformed_record(cloud: &TestCloud) -> Identity {
    let device = cloud.registered_device().await;
    let key = text(format!("{}#replay", device.uuid()));
    cloud.put_item(DEVICES, item([("uuid", key), ("version", number(1)), ("nonces", text("broken"))])).await;
    device
}

/// A registered device that has used up its uploads of the day.
pub(super) async fn with_spent_quota(cloud: &TestCloud) -> Identity {
    let device = cloud.registered_device().await;
    let today = cloud.now().get() / 86_400;
    let record = item([
        ("uuid", text(format!("{}#replay", device.uuid()))),
        ("version", number(1)),
        ("turnover_at", number(cloud.now().get() + 60)),
        ("nonces", AttributeValue::M([].into())),
        ("uploads_day", number(today)),
        ("uploads", number(UPLOADS_PER_DAY)),
    ]);
    cloud.put_item(DEVICES, record).await;
    device
}

/// One answer of every kind that is counted, on a cloud of its own.
pub(super) async fn metrics() -> BTreeSet<Metric> {
    let cloud = &TestCloud::start().await;
    let lines = &Lines::default();
    let same = |event: Event| event;

    Asked::new(cloud, lines, "func-api-health-get").answers(200, same).await;
    let minting = Asked::new(cloud, lines, "func-api-registration-keys-post");
    let key = minting.answers(201, same).await["key"].as_str().unwrap().to_owned();
    Asked::new(cloud, lines, "func-api-registration-keys-get").answers(200, same).await;
    Asked::new(cloud, lines, "func-api-devices-get").answers(200, same).await;

    let device = &new_device();
    let registering = Asked::new(cloud, lines, "func-api-devices-register-post");
    registering.answers(204, |event| event.registration(device, &key)).await;
    let wrong = |event: Event| event.registration(&new_device(), "WRONG0");
    for _ in 0..120 {
        registering.answers(401, wrong).await;
    }
    registering.answers(429, wrong).await;
    Asked::without_devices(cloud, lines, "func-api-devices-register-post").answers(500, wrong).await;

    let envelope = device.seal(b"{}", &[7; 12]).unwrap();
    let etag = "07".repeat(32);
    let upload = |event: Event| event.body(&envelope).header("ETag", &etag);
    let again = |event: Event| upload(event).header("If-None-Match", &etag);
    let uploading = Asked::new(cloud, lines, "func-api-devices-backup-post");
    uploading.answers_signed(200, device, 0, upload).await;
    uploading.answers_signed(304, device, 0, again).await;
    uploading.answers_signed(401, &new_device(), 0, upload).await;
    uploading.answers_signed(401, device, 11, upload).await;
    let replayed = device.sign(&random_nonce(&mut rand::rng()), cloud.now());
    uploading.answers(200, |event| upload(event.signed(&replayed))).await;
    uploading.answers(401, |event| upload(event.signed(&replayed))).await;
    let restoring = Asked::new(cloud, lines, "func-api-devices-backup-get");
    restoring.answers_signed(200, device, 0, same).await;
    restoring.answers_signed(401, device, 11, same).await;
    let reading = Asked::new(cloud, lines, "func-api-devices-registration-get");
    reading.answers_signed(200, device, 0, same).await;
    reading.answers_signed(401, device, 11, same).await;
    let deleting = Asked::new(cloud, lines, "func-api-devices-backup-delete");
    deleting.answers_signed(200, device, 0, same).await;
    deleting.answers_signed(401, device, 11, same).await;
    uploading.answers_signed(429, &with_spent_quota(cloud).await, 0, upload).await;
    for function in ALL.iter().filter(|function| !asked(lines).contains(function.name)) {
        Asked::new(cloud, lines, function.name).answers_genuine(device).await;
    }
    let broken = &with_malformed_record(cloud).await;
    for function in ALL.iter().filter(|function| function.caller == Caller::Device) {
        let asked = Asked::new(cloud, lines, function.name);
        asked.answers_signed(503, broken, 0, same).await;
        // The registration alone says that there is none.
        let unknown =
            if function.statuses.contains(&404) && function.name.contains("registration") { 404 } else { 401 };
        asked.answers_signed(unknown, &new_device(), 0, same).await;
    }

    lines.parsed().iter().flat_map(of_line).collect()
}

/// The metrics that CloudWatch makes of a line. Source: CloudWatch User Guide, "Specification: Embedded metric format".
fn of_line(line: &Value) -> Vec<Metric> {
    let mut found = Vec::new();
    for set in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        for dimensions in set["Dimensions"].as_array().unwrap() {
            let names = dimensions.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            let value = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}")).to_owned();
            let dimensions = names.map(|name| (name.to_owned(), value(name)));
            let dimensions = dimensions.collect::<BTreeMap<_, _>>();
            for metric in set["Metrics"].as_array().unwrap() {
                let name = metric["Name"].as_str().unwrap().to_owned();
                assert!(line[&name].is_number() || line[&name].is_array(), "no {name} in {line}");
                let namespace = set["Namespace"].as_str().unwrap().to_owned();
                found.push(Metric { namespace, name, dimensions: dimensions.clone() });
            }
        }
    }
    found
}
