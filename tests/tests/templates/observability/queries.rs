//! The queries in the descriptions of alarms, tried on what functions log.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use firefly_core::replay::UPLOADS_PER_DAY;
use firefly_runtime::log::{self, LogLevel};
use firefly_testkit::{TestCloud, new_device};
use serde_json::Value as Json;

use super::emitted::{Asked, Lines, with_malformed_record, with_spent_quota};
use super::watched::Watched;

/// The lines that all functions of this process log, those of other tests, too.
pub(super) fn logged() -> &'static Lines {
    static LINES: LazyLock<Lines> = LazyLock::new(|| {
        let lines = Lines::default();
        let writer = lines.clone();
        tracing::subscriber::set_global_default(log::subscriber(move || writer.clone(), LogLevel::WARN)).unwrap();
        lines
    });
    &LINES
}

/// The devices that the query in an alarm's description names: `filter FIELD = 'TEXT' and FIELD like 'TEXT' | stats
/// count(*) by span.device`.
fn named_by(query: &str, lines: &[Json]) -> BTreeSet<String> {
    let (conditions, rest) = query.split_once(" | ").unwrap();
    assert!(rest.starts_with("stats count(*) by span.device"), "{query}");
    let member = |line: &Json, path: &str| path.split('.').fold(line.clone(), |value, name| value[name].clone());
    let holds = |line: &Json, condition: &str| {
        let (field, text) = condition.split_once(" '").unwrap();
        let text = text.strip_suffix('\'').unwrap();
        match field.rsplit_once(' ').unwrap() {
            (field, "=") => member(line, field) == text,
            (field, "like") => member(line, field).as_str().is_some_and(|value| value.contains(text)),
            other => panic!("{other:?}"),
        }
    };
    let found = lines.iter().filter(|line| conditions.split(" and ").all(|condition| holds(line, condition)));
    found.map(|line| member(line, "span.device").as_str().unwrap().to_owned()).collect()
}

/// The query in an alarm's description.
fn query_of(alarm: &str) -> String {
    let watched = Watched::read();
    let description = watched.alarm(alarm).properties["AlarmDescription"].as_str().unwrap().to_owned();
    assert!(description.contains("Logs Insights over the log group"), "{description}");
    description.split_once(": filter ").unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_of_malformed_records_names_the_devices_that_deleting_helps() {
    let lines = logged();
    let cloud = TestCloud::start().await;
    let (device, other) = (with_malformed_record(&cloud).await, cloud.registered_device().await);
    let asked = Asked::new(&cloud, &Lines::default(), "func-api-devices-registration-get");
    asked.answers_signed(503, &device, 0, |event| event).await;
    asked.answers_signed(200, &other, 0, |event| event).await;
    asked.answers_signed(401, &other, 11, |event| event).await;
    let named = named_by(&query_of("firefly-malformed-records"), &lines.parsed());
    assert!(named.contains(&device.uuid().to_string()) && !named.contains(&other.uuid().to_string()), "{named:?}");

    let path = format!("/devices/{}", device.uuid());
    assert_eq!(cloud.as_user("root", &["super_users"], "DELETE", &path).await.status, 200);
    let key = cloud.mint().await;
    assert_eq!(cloud.register(&device, key.as_str()).await.status, 204);
    asked.answers_signed(200, &device, 0, |event| event).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_of_the_upload_quota_names_the_devices() {
    let lines = logged();
    let cloud = TestCloud::start().await;
    let (device, other) = (with_spent_quota(&cloud).await, cloud.registered_device().await);
    let asked = Asked::new(&cloud, &Lines::default(), "func-api-devices-backup-post");
    asked.answers_signed(429, &device, 0, |event| event).await;
    asked.answers_signed(200, &other, 0, |event| event).await;
    asked.answers_signed(401, &other, 11, |event| event).await;
    let named = named_by(&query_of("firefly-upload-quota"), &lines.parsed());
    assert!(named.contains(&device.uuid().to_string()) && !named.contains(&other.uuid().to_string()), "{named:?}");
    // The quota in the alarm's text is that of the functions.
    let watched = Watched::read();
    let description = watched.alarm("firefly-upload-quota").properties["AlarmDescription"].as_str().unwrap();
    assert!(description.contains(&format!("uploaded {} times", UPLOADS_PER_DAY)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_of_unknown_devices_names_them() {
    let lines = logged();
    let cloud = TestCloud::start().await;
    let (unknown, other) = (new_device(), cloud.registered_device().await);
    for (name, status) in [("func-api-devices-registration-get", 404), ("func-api-devices-backup-get", 401)] {
        let asked = Asked::new(&cloud, &Lines::default(), name);
        asked.answers_signed(status, &unknown, 0, |event| event).await;
        asked.answers_signed(401, &other, 11, |event| event).await;
        let named = named_by(&query_of("firefly-unknown-devices"), &lines.parsed());
        assert!(named.contains(&unknown.uuid().to_string()) && !named.contains(&other.uuid().to_string()), "{named:?}");
    }
}
