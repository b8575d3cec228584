//! Multipart uploads.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use emulator_s3::MAX_OBJECT_LENGTH;
use s3s::crypto::{Checksum as _, Md5};
use tempfile::TempDir;

use crate::server::{BUCKET, Emulator, body_of, files_in, get, put, refusal, refused};

/// S3's least length of a part that is not the last.
const MIN: usize = 5 * 1_024 * 1_024;

async fn create(client: &Client, key: &str) -> String {
    let created = client.create_multipart_upload().bucket(BUCKET).key(key).metadata("m", "1").content_type("text/a");
    created.send().await.unwrap().upload_id.unwrap()
}

async fn upload(client: &Client, key: &str, id: &str, number: i32, body: Vec<u8>) -> CompletedPart {
    let part = client.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(number);
    let part = part.body(ByteStream::from(body)).send().await.unwrap();
    CompletedPart::builder().part_number(number).e_tag(part.e_tag.unwrap()).build()
}

fn list(parts: &[CompletedPart]) -> CompletedMultipartUpload {
    CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn an_object_is_made_of_its_parts() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    let id = create(&client, "a/key").await;
    let bodies = [vec![1; MIN], vec![2; MIN + 1], b"the end".to_vec()];
    let mut parts = Vec::new();
    // In any order, one of them twice; the numbers have gaps.
    for (index, number) in [(2, 10_000), (0, 1), (1, 7)] {
        upload(&client, "a/key", &id, number, b"replaced".to_vec()).await;
        parts.push(upload(&client, "a/key", &id, number, bodies[index].clone()).await);
    }
    parts.sort_by_key(CompletedPart::part_number);
    // Nothing is there before the end, also not after a restart.
    assert_eq!(refusal(client.get_object().bucket(BUCKET).key("a/key").send().await).0, 404);
    server.stop().await;
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("a/key").upload_id(&id);
    let completed = complete.multipart_upload(list(&parts)).send().await.unwrap();

    let digests: Vec<u8> = bodies.iter().flat_map(|body| Md5::checksum(body)).collect();
    let etag = format!("\"{}-3\"", hex(&Md5::checksum(&digests)));
    assert_eq!(completed.e_tag(), Some(etag.as_str()));
    let found = get(&client, "a/key").await;
    assert_eq!((found.e_tag(), found.content_type()), (Some(etag.as_str()), Some("text/a")));
    assert_eq!((found.version_id(), &*found.metadata().unwrap()["m"]), (completed.version_id(), "1"));
    assert!(body_of(found).await == bodies.concat());
    let range = client.get_object().bucket(BUCKET).key("a/key").range(format!("bytes={}-", 2 * MIN)).send().await;
    assert_eq!(body_of(range.unwrap()).await, b"\x02the end");
    // The parts are gone, and so is the upload.
    assert!(files_in(&dir.path().join("uploads")).is_empty());
    let again = client.complete_multipart_upload().bucket(BUCKET).key("a/key").upload_id(&id);
    assert_eq!(refusal(again.multipart_upload(list(&parts)).send().await), refused(404, "NoSuchUpload"));
}

#[tokio::test]
async fn an_upload_that_is_wrongly_completed_stays_and_makes_no_object() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    let id = create(&client, "key").await;
    let first = upload(&client, "key", &id, 1, vec![1; MIN]).await;
    let small = upload(&client, "key", &id, 2, vec![2; MIN - 1]).await;
    let last = upload(&client, "key", &id, 3, vec![3; 1]).await;
    let foreign = CompletedPart::builder().part_number(1).e_tag("\"00000000000000000000000000000000\"").build();
    let absent = CompletedPart::builder().part_number(4).e_tag(last.e_tag().unwrap()).build();
    let path = CompletedPart::builder().part_number(1).e_tag("\"../../../lock\"").build();
    for (parts, code) in [
        (vec![last.clone(), first.clone()], "InvalidPartOrder"),
        (vec![first.clone(), first.clone()], "InvalidPartOrder"),
        (vec![first.clone(), small, last.clone()], "EntityTooSmall"),
        (vec![foreign], "InvalidPart"),
        (vec![path], "InvalidPart"),
        (vec![first.clone(), absent], "InvalidPart"),
        (vec![], "MalformedXML"),
    ] {
        let complete = client.complete_multipart_upload().bucket(BUCKET).key("key").upload_id(&id);
        assert_eq!(refusal(complete.multipart_upload(list(&parts)).send().await), refused(400, code), "{parts:?}");
    }
    assert_eq!(refusal(client.get_object().bucket(BUCKET).key("key").send().await), refused(404, "NoSuchKey"));
    // Conditions hold at the end.
    put(&client, "key", "there before").send().await.unwrap();
    let complete = || client.complete_multipart_upload().bucket(BUCKET).key("key").upload_id(&id);
    let parts = list(&[first, last]);
    let refused_end = complete().if_none_match("*").multipart_upload(parts.clone()).send().await;
    assert_eq!(refusal(refused_end), refused(412, "PreconditionFailed"));
    complete().multipart_upload(parts).send().await.unwrap();
    assert_eq!(body_of(get(&client, "key").await).await.len(), MIN + 1);
}

#[tokio::test]
async fn an_upload_is_known_by_its_bucket_key_and_id() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    let id = create(&client, "key").await;
    fs::write(dir.path().join("uploads/upload"), "{}").unwrap();
    for (key, id) in [("another", &*id), ("key", &*"0".repeat(32)), ("key", "../tmp"), ("key", "."), ("key", "upload")]
    {
        let part = client.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(1);
        let part = part.body(ByteStream::from_static(b"x")).send().await;
        assert_eq!(refusal(part), refused(404, "NoSuchUpload"), "{key} {id}");
        let abort = client.abort_multipart_upload().bucket(BUCKET).key(key).upload_id(id).send().await;
        assert_eq!(refusal(abort), refused(404, "NoSuchUpload"), "{key} {id}");
    }
    for number in [0, -1, 10_001] {
        let part = client.upload_part().bucket(BUCKET).key("key").upload_id(&id).part_number(number);
        let part = part.body(ByteStream::from_static(b"x")).send().await;
        assert_eq!(refusal(part), refused(400, "InvalidArgument"), "{number}");
    }
    assert!(dir.path().join("lock").exists() && dir.path().join("tmp").exists());
}

#[tokio::test]
async fn uploads_and_parts_are_listed_page_by_page() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    let mut ids = Vec::new();
    for key in ["a", "a", "b/1", "b/2", "c"] {
        ids.push((key.to_owned(), create(&client, key).await));
    }
    let (mut listed, mut markers) = (Vec::new(), (None, None));
    loop {
        let page = client.list_multipart_uploads().bucket(BUCKET).max_uploads(2);
        let page = page.set_key_marker(markers.0).set_upload_id_marker(markers.1).send().await.unwrap();
        let entries = page
            .uploads()
            .iter()
            .map(|upload| (upload.key().unwrap().to_owned(), upload.upload_id().unwrap().to_owned()));
        listed.extend(entries);
        if page.is_truncated() != Some(true) {
            break;
        }
        markers = (page.next_key_marker, page.next_upload_id_marker);
    }
    assert_eq!(listed, ids);
    let prefixed = client.list_multipart_uploads().bucket(BUCKET).prefix("b/").send().await.unwrap();
    assert_eq!(prefixed.uploads().len(), 2);

    let id = &ids[4].1;
    for number in [3, 1, 2] {
        upload(&client, "c", id, number, vec![0; usize::try_from(number).unwrap()]).await;
    }
    let page = client.list_parts().bucket(BUCKET).key("c").upload_id(id).max_parts(2).send().await.unwrap();
    let sizes = |parts: &[aws_sdk_s3::types::Part]| {
        parts.iter().map(|part| (part.part_number().unwrap(), part.size().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!((sizes(page.parts()), page.is_truncated()), (vec![(1, 1), (2, 2)], Some(true)));
    let page = client.list_parts().bucket(BUCKET).key("c").upload_id(id).part_number_marker("2").send().await.unwrap();
    assert_eq!((sizes(page.parts()), page.is_truncated()), (vec![(3, 3)], Some(false)));

    client.abort_multipart_upload().bucket(BUCKET).key("c").upload_id(id).send().await.unwrap();
    let listed = client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    assert_eq!(listed.uploads().len(), 4);
    // Objects are listed as if there were no uploads.
    assert_eq!(client.list_objects_v2().bucket(BUCKET).send().await.unwrap().key_count(), Some(0));
}

#[tokio::test]
async fn a_part_may_be_a_range_of_another_object() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    put(&client, "source", "0123456789").send().await.unwrap();
    let id = create(&client, "key").await;
    let copy = |range: Option<&str>| {
        let copy = client.upload_part_copy().bucket(BUCKET).key("key").upload_id(&id).part_number(1);
        copy.copy_source(format!("{BUCKET}/source")).set_copy_source_range(range.map(str::to_owned)).send()
    };
    let no_ranges = ["0-3", "bytes=a-b", "bytes=2-", "bytes=-2", "bytes=4-2", "bytes=0-1,3-4"];
    for bad in no_ranges.into_iter().chain(["bytes=10-11", "bytes=2-10", "bytes=0-9223372036854775807"]) {
        assert_eq!(refusal(copy(Some(bad)).await), refused(400, "InvalidArgument"), "{bad}");
    }
    for (range, expected) in
        [(None, "0123456789"), (Some("bytes=2-4"), "234"), (Some("bytes=9-9"), "9"), (Some("bytes=0-9"), "0123456789")]
    {
        let copied = copy(range).await.unwrap();
        let etag = copied.copy_part_result().unwrap().e_tag().unwrap().to_owned();
        assert_eq!(etag, format!("\"{}\"", hex(&Md5::checksum(expected.as_bytes()))));
    }
}

#[tokio::test]
async fn uploads_and_parts_have_the_time_of_the_store() {
    let dir = TempDir::new().unwrap();
    let stored = 1_700_000_000;
    let server = Emulator::start_at(dir.path(), UNIX_EPOCH + Duration::from_secs(stored)).await;
    let client = server.client("all");
    let stored = Some(DateTime::from_secs(i64::try_from(stored).unwrap()));
    put(&client, "source", "x").send().await.unwrap();
    let id = create(&client, "key").await;
    upload(&client, "key", &id, 1, b"x".to_vec()).await;
    let copy = client.upload_part_copy().bucket(BUCKET).key("key").upload_id(&id).part_number(2);
    let copy = copy.copy_source(format!("{BUCKET}/source")).send().await.unwrap();
    assert_eq!(copy.copy_part_result().unwrap().last_modified().copied(), stored);
    let uploads = client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    assert_eq!(uploads.uploads()[0].initiated().copied(), stored);
    let parts = client.list_parts().bucket(BUCKET).key("key").upload_id(&id).send().await.unwrap();
    let dates: Vec<_> = parts.parts().iter().map(|part| part.last_modified().copied()).collect();
    assert_eq!(dates, [stored, stored]);
}

#[tokio::test]
async fn the_parts_have_a_largest_size_together() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    let id = create(&client, "key").await;
    let length = usize::try_from(MAX_OBJECT_LENGTH).unwrap();
    let first = upload(&client, "key", &id, 1, vec![0; length]).await;
    let second = upload(&client, "key", &id, 2, vec![0; 1]).await;
    let complete = || client.complete_multipart_upload().bucket(BUCKET).key("key").upload_id(&id);
    let too_large = complete().multipart_upload(list(&[first.clone(), second])).send().await;
    assert_eq!(refusal(too_large), refused(400, "EntityTooLarge"));
    assert!(complete().multipart_upload(list(&[first])).send().await.is_ok());
}

#[tokio::test]
async fn an_upload_takes_its_own_rights() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let all = server.client("all");
    let id = create(&all, "key").await;
    let part = upload(&all, "key", &id, 1, b"x".to_vec()).await;
    let denied = refused(403, "AccessDenied");
    let reader = server.client("lister");
    assert_eq!(refusal(reader.create_multipart_upload().bucket(BUCKET).key("key").send().await), denied);
    let upload_part = reader.upload_part().bucket(BUCKET).key("key").upload_id(&id).part_number(1);
    assert_eq!(refusal(upload_part.body(ByteStream::from_static(b"y")).send().await), denied);
    let complete = reader.complete_multipart_upload().bucket(BUCKET).key("key").upload_id(&id);
    assert_eq!(refusal(complete.multipart_upload(list(&[part])).send().await), denied);
    let writer = server.client("writer");
    assert_eq!(refusal(writer.abort_multipart_upload().bucket(BUCKET).key("key").upload_id(&id).send().await), denied);
    assert_eq!(refusal(writer.list_parts().bucket(BUCKET).key("key").upload_id(&id).send().await), denied);
    assert_eq!(refusal(writer.list_multipart_uploads().bucket(BUCKET).send().await), denied);
}
