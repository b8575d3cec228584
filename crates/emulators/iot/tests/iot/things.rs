//! Things.

use std::collections::BTreeMap;

use aws_sdk_iot::types::AttributePayload;

use crate::server::{Server, assert_refused, refusal, start};

fn payload(pairs: &[(&str, &str)]) -> AttributePayload {
    let add = |payload: aws_sdk_iot::types::builders::AttributePayloadBuilder, (name, value): &(&str, &str)| {
        payload.attributes(*name, *value)
    };
    pairs.iter().fold(AttributePayload::builder(), add).build()
}

async fn attributes(server: &Server, name: &str) -> (i64, BTreeMap<String, String>) {
    let found = server.client.describe_thing().thing_name(name).send().await.unwrap();
    (found.version(), found.attributes.unwrap_or_default().into_iter().collect())
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_thing_is_made_described_and_deleted() {
    let server = start().await;
    let call = server.client.create_thing().thing_name("Thing:1_a-b");
    let made = call.attribute_payload(payload(&[("managed_by", "owner")])).send().await.unwrap();
    let arn = "arn:aws:iot:eu-central-1:123456789012:thing/Thing:1_a-b";
    assert_eq!((made.thing_name(), made.thing_arn()), (Some("Thing:1_a-b"), Some(arn)));
    let found = server.client.describe_thing().thing_name("Thing:1_a-b").send().await.unwrap();
    assert_eq!((found.thing_id(), found.thing_arn()), (made.thing_id(), Some(arn)));
    assert_eq!((found.default_client_id(), found.version()), (Some("Thing:1_a-b"), 1));
    assert_eq!((found.thing_type_name(), found.billing_group_name()), (None, None));
    assert_eq!(attributes(&server, "Thing:1_a-b").await.1, map(&[("managed_by", "owner")]));
    server.client.delete_thing().thing_name("Thing:1_a-b").send().await.unwrap();
    let gone = server.client.describe_thing().thing_name("Thing:1_a-b").send().await;
    assert_refused(gone, 404, "ResourceNotFoundException");
}

#[tokio::test]
async fn the_same_thing_again_is_the_same_and_another_is_409() {
    let server = start().await;
    let create = |value| server.client.create_thing().thing_name("thing").attribute_payload(payload(&[("a", value)]));
    let first = create("1").send().await.unwrap();
    assert_eq!(create("1").send().await.unwrap().thing_id(), first.thing_id());
    let error = create("2").send().await.unwrap_err().into_service_error();
    assert!(error.is_resource_already_exists_exception());
    let text = format!("{error:?}");
    assert!(text.contains(r#"resource_arn: Some("arn:aws:iot:eu-central-1:123456789012:thing/thing")"#), "{text}");
    assert_refused(create("2").send().await, 409, "ResourceAlreadyExistsException");
    let without = server.client.create_thing().thing_name("thing").send().await;
    assert_refused(without, 409, "ResourceAlreadyExistsException");
    assert_eq!(attributes(&server, "thing").await, (1, map(&[("a", "1")])));
}

#[tokio::test]
async fn deleting_an_absent_thing_succeeds_and_an_attached_one_is_400() {
    let server = start().await;
    server.client.delete_thing().thing_name("absent").send().await.unwrap();
    server.thing("thing").await;
    let certificate = server.certificate(false).await;
    server.attach_thing("thing", &certificate).await;
    let (status, name, message) = refusal(server.client.delete_thing().thing_name("thing").send().await);
    assert_eq!((status, name.as_str()), (400, "InvalidRequestException"));
    assert_eq!(message, "Cannot delete. Thing thing is still attached to one or more principals");
}

#[tokio::test]
async fn an_update_merges_or_replaces_attributes_and_removes_empty_ones() {
    let server = start().await;
    server.thing("thing").await;
    let update = |pairs: &[(&str, &str)], merge| {
        let new = AttributePayload::builder().set_attributes(payload(pairs).attributes).merge(merge).build();
        server.client.update_thing().thing_name("thing").attribute_payload(new)
    };
    update(&[("a", "1"), ("b", "2")], true).send().await.unwrap();
    assert_eq!(attributes(&server, "thing").await, (2, map(&[("a", "1"), ("b", "2")])));
    update(&[("b", ""), ("c", "3")], true).send().await.unwrap();
    assert_eq!(attributes(&server, "thing").await, (3, map(&[("a", "1"), ("c", "3")])));
    assert_refused(update(&[("d", "4"), ("e", "5")], true).send().await, 400, "InvalidRequestException");
    update(&[("d", "4")], false).send().await.unwrap();
    assert_eq!(attributes(&server, "thing").await, (4, map(&[("d", "4")])));
    server.client.update_thing().thing_name("thing").remove_thing_type(true).send().await.unwrap();
    assert_eq!(attributes(&server, "thing").await, (5, map(&[("d", "4")])));
    let absent = server.client.update_thing().thing_name("absent").send().await;
    assert_refused(absent, 404, "ResourceNotFoundException");
}

#[tokio::test]
async fn another_version_than_the_expected_one_is_409() {
    let server = start().await;
    server.thing("thing").await;
    let update = |version| server.client.update_thing().thing_name("thing").expected_version(version);
    assert_refused(update(2).send().await, 409, "VersionConflictException");
    update(1).send().await.unwrap();
    let delete = |version| server.client.delete_thing().thing_name("thing").expected_version(version);
    assert_refused(delete(1).send().await, 409, "VersionConflictException");
    delete(2).send().await.unwrap();
}

#[tokio::test]
async fn types_billing_groups_and_malformed_attributes_are_refused() {
    let server = start().await;
    let create = || server.client.create_thing().thing_name("thing");
    assert_refused(create().thing_type_name("type").send().await, 404, "ResourceNotFoundException");
    assert_refused(create().billing_group_name("group").send().await, 404, "ResourceNotFoundException");
    let long = "x".repeat(801);
    for pairs in [
        [("a", "")].as_slice(),
        &[("a b", "1")],
        &[("a", "ü")],
        &[("a", &long)],
        &[("", "1")],
        &[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")],
    ] {
        assert_refused(create().attribute_payload(payload(pairs)).send().await, 400, "InvalidRequestException");
    }
    let merge = AttributePayload::builder().merge(true).build();
    assert_refused(create().attribute_payload(merge).send().await, 400, "InvalidRequestException");
    for name in ["a b", "ü", "a.b", "x".repeat(129).as_str()] {
        let answer = server.client.create_thing().thing_name(name).send().await;
        assert_refused(answer, 400, "InvalidRequestException");
    }
    assert!(server.client.list_things().send().await.unwrap().things().is_empty());
    server.client.create_thing().thing_name("x".repeat(128)).send().await.unwrap();
}

#[tokio::test]
async fn things_are_listed_in_pages_and_by_attribute() {
    let server = start().await;
    for number in 0..30 {
        let mark = if number % 10 == 0 { "ten" } else { "other" };
        let call = server.client.create_thing().thing_name(format!("thing-{number:02}"));
        call.attribute_payload(payload(&[("mark", mark)])).send().await.unwrap();
    }
    let mut names = Vec::new();
    let mut pages = server.client.list_things().into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        sizes.push(page.things().len());
        names.extend(page.things().iter().map(|thing| thing.thing_name().unwrap().to_owned()));
    }
    assert_eq!(sizes, [25, 5]);
    assert_eq!(names, (0..30).map(|number| format!("thing-{number:02}")).collect::<Vec<_>>());
    let marked = server.client.list_things().attribute_name("mark");
    let ten = marked.clone().attribute_value("ten").send().await.unwrap();
    assert_eq!(ten.things().len(), 3);
    assert_eq!(ten.things()[0].attributes().unwrap()["mark"], "ten");
    let prefix = marked.clone().attribute_value("te").use_prefix_attribute_value(true).send().await.unwrap();
    assert_eq!(prefix.things().len(), 3);
    assert_eq!(marked.clone().attribute_value("te").send().await.unwrap().things().len(), 0);
    assert_eq!(marked.max_results(250).send().await.unwrap().things().len(), 30);
    assert_eq!(server.client.list_things().thing_type_name("type").send().await.unwrap().things().len(), 0);
    let list = || server.client.list_things();
    for refused in [
        list().max_results(0),
        list().max_results(251),
        list().next_token("not Base64"),
        list().attribute_value("ten"),
        list().use_prefix_attribute_value(true),
    ] {
        assert_refused(refused.send().await, 400, "InvalidRequestException");
    }
}
