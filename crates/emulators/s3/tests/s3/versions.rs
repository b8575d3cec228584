//! Versions, conditional puts and listings.

use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::server::{BUCKET, Emulator, body_of, files_in, get, put, refusal, refused};

#[tokio::test]
async fn one_of_racing_conditional_puts_wins() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    // A body of its own for every writer: equal bodies have equal ETags, and each would let the next one in.
    let race = async |round: &str, condition: Option<String>| {
        let mut writers = JoinSet::new();
        for number in 0..20 {
            let request = put(&client, "key", format!("{round} {number}"));
            let request = match &condition {
                None => request.if_none_match("*"),
                Some(etag) => request.if_match(etag),
            };
            writers.spawn(async move { (number, request.send().await) });
        }
        let mut winners = Vec::new();
        for (number, result) in writers.join_all().await {
            match result {
                Ok(output) => winners.push((number, output.e_tag.unwrap())),
                failed => assert_eq!(refusal(failed), refused(412, "PreconditionFailed")),
            }
        }
        assert_eq!(winners.len(), 1, "{round}: {winners:?}");
        let (number, etag) = winners.remove(0);
        assert_eq!(body_of(get(&client, "key").await).await, format!("{round} {number}").as_bytes());
        etag
    };
    let etag = race("if absent", None).await;
    race("if the same", Some(etag)).await;

    assert_eq!(refusal(put(&client, "absent", "x").if_match("\"0\"").send().await), refused(404, "NoSuchKey"));
    client.delete_object().bucket(BUCKET).key("key").send().await.unwrap();
    assert!(put(&client, "key", "again").if_none_match("*").send().await.is_ok());
    let unsupported = put(&client, "key", "x").if_none_match("\"0\"").send().await;
    assert_eq!(refusal(unsupported), refused(501, "NotImplemented"));
    let conditional_delete = client.delete_object().bucket(BUCKET).key("key").if_match("\"0\"").send().await;
    assert_eq!(refusal(conditional_delete), refused(501, "NotImplemented"));
}

#[tokio::test]
async fn versions_stay_readable_without_a_rule_that_removes_them() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    let version = |id: String| client.get_object().bucket(BUCKET).key("key").version_id(id).send();

    let first = put(&client, "key", "first").send().await.unwrap().version_id.unwrap();
    let second = put(&client, "key", "second").send().await.unwrap().version_id.unwrap();
    let deleted = client.delete_object().bucket(BUCKET).key("key").send().await.unwrap();
    let marker = deleted.version_id.unwrap();
    assert_eq!(deleted.delete_marker, Some(true));
    assert_eq!(body_of(version(first.clone()).await.unwrap()).await, b"first");
    assert_eq!(body_of(version(second.clone()).await.unwrap()).await, b"second");
    assert_eq!(refusal(version(marker.clone()).await), refused(405, "MethodNotAllowed"));
    for no_version in ["0".repeat(32), "../../lock".to_owned(), "null".to_owned()] {
        assert_eq!(refusal(version(no_version).await), refused(404, "NoSuchVersion"));
    }

    let listed = client.list_object_versions().bucket(BUCKET).send().await.unwrap();
    let versions: Vec<_> = listed.versions().iter().map(|v| (v.version_id().unwrap(), v.is_latest())).collect();
    assert_eq!(versions, [(second.as_str(), Some(false)), (first.as_str(), Some(false))]);
    assert_eq!(listed.delete_markers()[0].version_id(), Some(marker.as_str()));
    assert_eq!(listed.delete_markers()[0].is_latest(), Some(true));

    // Without its delete marker the object is back; a version can be removed for good.
    client.delete_object().bucket(BUCKET).key("key").version_id(&marker).send().await.unwrap();
    assert_eq!(body_of(get(&client, "key").await).await, b"second");
    client.delete_object().bucket(BUCKET).key("key").version_id(&second).send().await.unwrap();
    client.delete_object().bucket(BUCKET).key("key").version_id(&second).send().await.unwrap();
    assert_eq!(body_of(get(&client, "key").await).await, b"first");

    for number in 0..12 {
        put(&client, "key", number.to_string()).send().await.unwrap();
    }
    assert_eq!(body_of(version(first).await.unwrap()).await, b"first");
    assert_eq!(files_in(&dir.path().join("buckets")).len(), 13);
}

#[tokio::test]
async fn listings_come_in_pages() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    for key in ["b/2", "a", "b/1", "c", "b/", "deleted", "d/e/f"] {
        put(&client, key, key).send().await.unwrap();
    }
    client.delete_object().bucket(BUCKET).key("deleted").send().await.unwrap();

    // Entries, objects and common prefixes alike, page by page.
    let pages = async |prefix: &str, delimiter: Option<&str>, max_keys: i32| {
        let request = client.list_objects_v2().bucket(BUCKET).prefix(prefix).max_keys(max_keys);
        let mut pages = request.set_delimiter(delimiter.map(str::to_owned)).into_paginator().send();
        let mut listed = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            let objects = page.contents().iter().map(|object| object.key().unwrap().to_owned());
            let prefixes = page.common_prefixes().iter().map(|prefix| format!("{} …", prefix.prefix().unwrap()));
            listed.push(objects.chain(prefixes).collect::<Vec<_>>().join(", "));
        }
        listed.join(" | ")
    };
    assert_eq!(pages("", None, 1000).await, "a, b/, b/1, b/2, c, d/e/f");
    assert_eq!(pages("", None, 2).await, "a, b/ | b/1, b/2 | c, d/e/f");
    assert_eq!(pages("b/", None, 2).await, "b/, b/1 | b/2");
    assert_eq!(pages("", Some("/"), 1000).await, "a, c, b/ …, d/ …");
    assert_eq!(pages("", Some("/"), 1).await, "a | b/ … | c | d/ …");
    assert_eq!(pages("d/", Some("/"), 1).await, "d/e/ …");
    assert_eq!(pages("no", None, 1).await, "");

    let list = || client.list_objects_v2().bucket(BUCKET);
    let after = list().start_after("b/1").send().await.unwrap();
    assert_eq!(after.contents().iter().map(|o| o.key().unwrap()).collect::<Vec<_>>(), ["b/2", "c", "d/e/f"]);
    assert_eq!(list().max_keys(0).send().await.unwrap().is_truncated(), Some(false));
    assert_eq!(refusal(list().max_keys(-1).send().await), refused(400, "InvalidArgument"));
    assert_eq!(refusal(list().continuation_token("?").send().await), refused(400, "InvalidArgument"));

    let (mut seen, mut key_marker, mut version_id_marker) = (Vec::new(), None, None);
    loop {
        let request = client.list_object_versions().bucket(BUCKET).max_keys(2);
        let request = request.set_key_marker(key_marker).set_version_id_marker(version_id_marker);
        let page = request.send().await.unwrap();
        seen.extend(page.versions().iter().map(|version| version.key().unwrap().to_owned()));
        seen.extend(page.delete_markers().iter().map(|marker| format!("no {}", marker.key().unwrap())));
        if page.is_truncated() != Some(true) {
            break;
        }
        (key_marker, version_id_marker) = (page.next_key_marker, page.next_version_id_marker);
    }
    assert_eq!(seen, ["a", "b/", "b/1", "b/2", "c", "d/e/f", "deleted", "no deleted"]);
}
