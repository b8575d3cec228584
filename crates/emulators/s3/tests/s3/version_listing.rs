//! Listings of versions.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use tempfile::TempDir;

use crate::server::{BUCKET, Emulator, RawBody, put, refusal, refused};

/// The keys of a page's versions and delete markers, and its common prefixes, in their order.
fn entries(page: &ListObjectVersionsOutput) -> Vec<String> {
    let versions = page.versions().iter().map(|version| version.key().unwrap().to_owned());
    let markers = page.delete_markers().iter().map(|marker| marker.key().unwrap().to_owned());
    let prefixes = page.common_prefixes().iter().map(|common| format!("{}…", common.prefix().unwrap()));
    let mut entries: Vec<_> = versions.chain(markers).chain(prefixes).collect();
    entries.sort();
    entries
}

/// All entries, page by page.
async fn list(client: &Client, prefix: &str, delimiter: &str, page_length: i32) -> Vec<String> {
    let (mut all, mut key, mut id) = (Vec::new(), None, None);
    loop {
        let request = client.list_object_versions().bucket(BUCKET).prefix(prefix).delimiter(delimiter);
        let request = request.max_keys(page_length).set_key_marker(key).set_version_id_marker(id);
        let page = request.send().await.unwrap();
        let found = entries(&page);
        assert!(found.len() <= usize::try_from(page_length).unwrap());
        all.extend(found);
        assert!(all.len() < 100, "the pages do not end: {all:?}");
        if page.is_truncated() != Some(true) {
            return all;
        }
        (key, id) = (page.next_key_marker, page.next_version_id_marker);
    }
}

#[tokio::test]
async fn versions_are_listed_with_a_delimiter() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    for key in ["a", "b/1", "b/1", "b/c/2", "b/c/2", "b0", "b0", "c/3"] {
        put(&client, key, key).send().await.unwrap();
    }
    for key in ["a", "b/1", "c/3"] {
        client.delete_object().bucket(BUCKET).key(key).send().await.unwrap();
    }
    for page_length in [1, 2, 3, 1000] {
        assert_eq!(list(&client, "", "/", page_length).await, ["a", "a", "b/…", "b0", "b0", "c/…"], "{page_length}");
        assert_eq!(list(&client, "b/", "/", page_length).await, ["b/1", "b/1", "b/1", "b/c/…"], "{page_length}");
        assert_eq!(list(&client, "b", "c/", page_length).await, ["b/1", "b/1", "b/1", "b/c/…", "b0", "b0"]);
        assert_eq!(list(&client, "x", "/", page_length).await, Vec::<String>::new());
    }
    // Behind a key, the rest of its prefix is an entry; behind a prefix, nothing of it.
    let behind = async |marker: &str| {
        let request = client.list_object_versions().bucket(BUCKET).delimiter("/").key_marker(marker);
        entries(&request.send().await.unwrap())
    };
    assert_eq!(behind("b/1").await, ["b/…", "b0", "b0", "c/…"]);
    assert_eq!(behind("b/").await, ["b0", "b0", "c/…"]);
    let page = client.list_object_versions().bucket(BUCKET).delimiter("/").max_keys(3).send().await.unwrap();
    assert_eq!(
        (page.delimiter(), page.next_key_marker(), page.next_version_id_marker()),
        (Some("/"), Some("b/"), None)
    );
}

#[tokio::test]
async fn a_marker_that_no_version_has_had_is_400() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.insert(0, put(&client, "key", number.to_string()).send().await.unwrap().version_id.unwrap());
    }
    let of_other = put(&client, "other", "x").send().await.unwrap().version_id.unwrap();
    let behind = |key: Option<&str>, id: &str| {
        let request = client.list_object_versions().bucket(BUCKET).prefix("key").version_id_marker(id);
        request.set_key_marker(key.map(str::to_owned)).send()
    };
    let next = |id: &str| format!("{}{}", &id[..31], if id.ends_with('0') { '1' } else { '0' });
    let invented = ["0".repeat(32), "f".repeat(32), next(&ids[0]), ids[0][..31].to_owned(), ids[0].to_uppercase()];
    let invented = invented.into_iter().chain([of_other, "../../lock".to_owned(), "null".to_owned(), "?".to_owned()]);
    for id in invented.filter(|id| *id != ids[0]) {
        assert_eq!(refusal(behind(Some("key"), &id).await), refused(400, "InvalidArgument"), "{id}");
    }
    assert_eq!(refusal(behind(Some("absent"), &ids[0]).await), refused(400, "InvalidArgument"));
    for (query, message) in [
        (format!("version-id-marker={}", ids[0]), "A version-id marker cannot be specified without a key marker."),
        (
            format!("key-marker=&version-id-marker={}", ids[0]),
            "A version-id marker cannot be specified without a key marker.",
        ),
        ("key-marker=key&version-id-marker=".to_owned(), "A version-id marker cannot be empty."),
        (format!("key-marker=key&version-id-marker={}", "0".repeat(32)), "Invalid version id specified"),
    ] {
        let path = format!("/{BUCKET}?versions&{query}");
        let (status, answer) = server.send_raw("GET", &path, &[], RawBody::Signed(b"")).await;
        let expected = format!("<Code>InvalidArgument</Code><Message>{message}</Message>");
        assert!(status == 400 && answer.contains(&expected), "{query}: {status} {answer}");
    }

    // Who deletes what a page has goes on behind it.
    for id in &ids[..2] {
        client.delete_object().bucket(BUCKET).key("key").version_id(id).send().await.unwrap();
    }
    let rest = behind(Some("key"), &ids[1]).await.unwrap();
    assert_eq!(rest.versions().iter().map(|version| version.version_id().unwrap()).collect::<Vec<_>>(), ids[2..]);
}
