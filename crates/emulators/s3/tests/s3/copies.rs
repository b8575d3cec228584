//! Copies, and deletes of many objects.

use aws_sdk_s3::types::{Delete, MetadataDirective, ObjectIdentifier};
use tempfile::TempDir;

use crate::server::{BUCKET, Emulator, RawBody, body_of, get, put, refusal, refused};

#[tokio::test]
async fn a_copy_has_the_bytes_and_the_metadata_unless_they_are_replaced() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    client.create_bucket().bucket("another-bucket").send().await.unwrap();
    let body = vec![7; 100_000];
    let stored =
        put(&client, "a key/ä+b", body.clone()).metadata("m", "1").content_type("text/a").send().await.unwrap();
    let source = format!("{BUCKET}/a%20key/%C3%A4%2Bb");
    let copied = client.copy_object().bucket("another-bucket").key("copy").copy_source(&source).send().await.unwrap();
    let result = copied.copy_object_result().unwrap();
    assert_eq!(result.e_tag(), stored.e_tag());
    assert!(result.last_modified().is_some());
    assert_eq!(copied.copy_source_version_id(), stored.version_id());
    let copy = client.get_object().bucket("another-bucket").key("copy").send().await.unwrap();
    assert_eq!((copy.content_type(), copy.version_id()), (Some("text/a"), copied.version_id()));
    assert_eq!(copy.metadata().unwrap()["m"], "1");
    assert_eq!(body_of(copy).await, body);

    let replaced = client.copy_object().bucket(BUCKET).key("replaced").copy_source(&source).metadata("n", "2");
    let replaced = replaced.content_type("text/b").metadata_directive(MetadataDirective::Replace);
    replaced.send().await.unwrap();
    let copy = get(&client, "replaced").await;
    assert_eq!(copy.content_type(), Some("text/b"));
    assert_eq!(
        copy.metadata().unwrap().iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>(),
        [("n", "2")]
    );
}

#[tokio::test]
async fn an_earlier_version_is_restored_by_a_copy() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    let first = put(&client, "key", "first").metadata("m", "1").send().await.unwrap().version_id.unwrap();
    put(&client, "key", "second").send().await.unwrap();
    let marker = client.delete_object().bucket(BUCKET).key("key").send().await.unwrap().version_id.unwrap();
    let copy = |version: &str| {
        let source = format!("{BUCKET}/key?versionId={version}");
        client.copy_object().bucket(BUCKET).key("key").copy_source(source).send()
    };
    copy(&first).await.unwrap();
    let found = get(&client, "key").await;
    assert_eq!(found.metadata().unwrap()["m"], "1");
    assert_eq!(body_of(found).await, b"first");
    assert_eq!(refusal(copy(&marker).await), refused(400, "InvalidRequest"));
    assert_eq!(refusal(copy(&"0".repeat(32)).await), refused(404, "NoSuchVersion"));
}

#[tokio::test]
async fn a_copy_that_cannot_be_made_is_refused() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let all = server.client("all");
    let etag = put(&all, "key", "x").send().await.unwrap().e_tag.unwrap();
    let copy = |from: &str, to: &str| all.copy_object().bucket(BUCKET).key(to).copy_source(format!("{BUCKET}/{from}"));
    assert_eq!(refusal(copy("key", "key").send().await), refused(400, "InvalidRequest"));
    assert_eq!(refusal(copy("absent", "copy").send().await), refused(404, "NoSuchKey"));
    let nowhere = all.copy_object().bucket("no-such-bucket").key("copy").copy_source(format!("{BUCKET}/key"));
    assert_eq!(refusal(nowhere.send().await), refused(404, "NoSuchBucket"));
    let failed = refused(412, "PreconditionFailed");
    assert_eq!(refusal(copy("key", "copy").copy_source_if_match("\"0\"").send().await), failed);
    assert_eq!(refusal(copy("key", "copy").copy_source_if_none_match(&etag).send().await), failed);
    assert!(copy("key", "conditional").copy_source_if_match(&etag).send().await.is_ok());
    // A copy takes the right to read as well as that to write.
    let denied = refused(403, "AccessDenied");
    for name in ["reader", "lister", "writer", "deleter"] {
        let copy = server.client(name).copy_object().bucket(BUCKET).key("copy").copy_source(format!("{BUCKET}/key"));
        assert_eq!(refusal(copy.send().await), denied, "{name}");
    }
    assert_eq!(refusal(all.get_object().bucket(BUCKET).key("copy").send().await), refused(404, "NoSuchKey"));
}

#[tokio::test]
async fn many_objects_are_deleted_at_once() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    let version = put(&client, "kept", "first").send().await.unwrap().version_id.unwrap();
    for key in ["kept", "a", "b & c"] {
        put(&client, key, "x").send().await.unwrap();
    }
    let object = |key: &str| ObjectIdentifier::builder().key(key);
    let objects = [object("a"), object("b & c"), object("absent"), object("kept").version_id(&version)];
    let objects = objects.map(|object| object.build().unwrap()).to_vec();
    let delete = Delete::builder().set_objects(Some(objects.clone())).build().unwrap();
    let deleted = client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert!(deleted.errors().is_empty());
    let keys: Vec<_> = deleted.deleted().iter().map(|object| object.key().unwrap()).collect();
    assert_eq!(keys, ["a", "b & c", "absent", "kept"]);
    assert_eq!(deleted.deleted()[0].delete_marker(), Some(true));
    assert!(deleted.deleted()[0].delete_marker_version_id().is_some());
    assert_eq!(deleted.deleted()[3].version_id(), Some(version.as_str()));
    let listed = client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(listed.contents().iter().map(|object| object.key().unwrap()).collect::<Vec<_>>(), ["kept"]);
    assert_eq!(body_of(get(&client, "kept").await).await, b"x");

    // A principal who may not delete learns it of each; quiet, what went well is not said.
    let reader = server.client("reader").delete_objects().bucket(BUCKET);
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().unwrap();
    let refused = reader.delete(delete.clone()).send().await.unwrap();
    let codes: Vec<_> = refused.errors().iter().map(|error| error.code().unwrap()).collect();
    assert_eq!(codes, ["AccessDenied"; 4]);
    let quiet = client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert!(quiet.deleted().is_empty() && quiet.errors().is_empty());

    let entries = format!("<Object><Key>{}</Key></Object>", "k".repeat(1_000));
    for (count, status) in [(0, 400), (1_000, 200), (1_001, 400)] {
        let xml = format!("<Delete>{}<Quiet>true</Quiet></Delete>", entries.repeat(count));
        let path = format!("/{BUCKET}?delete=");
        let (answered, text) = server.send_raw("POST", &path, &[], RawBody::Signed(xml.as_bytes())).await;
        assert_eq!(answered, status, "{count} objects: {text}");
    }
}
