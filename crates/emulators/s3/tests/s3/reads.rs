//! Reads of parts, and reads and copies on a condition.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ChecksumMode, CompletedMultipartUpload, CompletedPart};
use tempfile::TempDir;

use crate::server::{BUCKET, Emulator, RawBody, body_of, put, refusal, refused};

/// S3's least length of a part that is not the last.
const MIN: usize = 5 * 1_024 * 1_024;

/// Stores an object of three parts, whose numbers have gaps.
async fn put_parts(client: &Client, key: &str) {
    let id = client.create_multipart_upload().bucket(BUCKET).key(key).send().await.unwrap().upload_id.unwrap();
    let mut list = CompletedMultipartUpload::builder();
    for (number, body) in [(2, vec![1; MIN]), (5, vec![2; MIN + 1]), (9, b"the end".to_vec())] {
        let part = client.upload_part().bucket(BUCKET).key(key).upload_id(&id).part_number(number);
        let part = part.body(ByteStream::from(body)).send().await.unwrap();
        list = list.parts(CompletedPart::builder().part_number(number).e_tag(part.e_tag.unwrap()).build());
    }
    let complete = client.complete_multipart_upload().bucket(BUCKET).key(key).upload_id(id);
    complete.multipart_upload(list.build()).send().await.unwrap();
}

#[tokio::test]
async fn an_object_is_read_part_by_part() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    put_parts(&server.client("all"), "key").await;
    server.stop().await;
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    let size = 2 * MIN + 8;
    for (number, body, first) in
        [(1, vec![1; MIN], 0), (2, vec![2; MIN + 1], MIN), (3, b"the end".to_vec(), 2 * MIN + 1)]
    {
        let range = format!("bytes {first}-{}/{size}", first + body.len() - 1);
        let head = client.head_object().bucket(BUCKET).key("key").part_number(number).send().await.unwrap();
        assert_eq!((head.content_range(), head.parts_count()), (Some(range.as_str()), Some(3)), "{number}");
        assert_eq!(head.content_length(), i64::try_from(body.len()).ok(), "{number}");
        let found = client.get_object().bucket(BUCKET).key("key").part_number(number);
        let found = found.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
        assert_eq!((found.content_range(), found.parts_count()), (Some(range.as_str()), Some(3)), "{number}");
        assert!(body_of(found).await == body, "{number}");
    }
    let whole = client.head_object().bucket(BUCKET).key("key").send().await.unwrap();
    assert_eq!((whole.content_range(), whole.parts_count(), whole.content_length()), (None, None, Some(10_485_768)));
    let part = |number| client.get_object().bucket(BUCKET).key("key").part_number(number);
    assert_eq!(refusal(part(4).send().await), refused(416, "InvalidPartNumber"));
    for number in [0, -1, 10_001] {
        assert_eq!(refusal(part(number).send().await), refused(400, "InvalidArgument"), "{number}");
    }
    assert_eq!(refusal(part(1).range("bytes=0-1").send().await), refused(400, "InvalidRequest"));
}

#[tokio::test]
async fn an_object_of_one_request_is_its_own_first_part() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client("all");
    put_parts(&client, "parts").await;
    client.copy_object().bucket(BUCKET).key("copy").copy_source(format!("{BUCKET}/parts")).send().await.unwrap();
    put(&client, "key", "0123456789").send().await.unwrap();
    put(&client, "empty", "").send().await.unwrap();
    let part = |key: &str, number| client.get_object().bucket(BUCKET).key(key).part_number(number).send();
    for (key, range) in [("key", Some("bytes 0-9/10")), ("copy", Some("bytes 0-10485767/10485768")), ("empty", None)] {
        let found = part(key, 1).await.unwrap();
        assert_eq!((found.content_range(), found.parts_count()), (range, None), "{key}");
        assert_eq!(refusal(part(key, 2).await), refused(416, "InvalidPartNumber"), "{key}");
    }
    for method in ["GET", "HEAD"] {
        let status = async |query: &str, headers: &[(&str, &str)]| {
            server.send_raw(method, &format!("/{BUCKET}/{query}"), headers, RawBody::Signed(b"")).await.0
        };
        assert_eq!(status("key", &[]).await, 200, "{method}");
        assert_eq!(status("key?partNumber=1", &[]).await, 206, "{method}");
        assert_eq!(status("empty?partNumber=1", &[]).await, 200, "{method}");
        assert_eq!(status("key?partNumber=2", &[]).await, 416, "{method}");
        assert_eq!(status("key", &[("range", "bytes=2-4")]).await, 206, "{method}");
    }
    let head = client.head_object().bucket(BUCKET).key("key").range("bytes=2-4").send().await.unwrap();
    assert_eq!((head.content_range(), head.content_length()), (Some("bytes 2-4/10"), Some(3)));
    let beyond = client.head_object().bucket(BUCKET).key("key").range("bytes=10-").send().await;
    assert_eq!(refusal(beyond).0, 416);
}

/// A second in which objects are stored, half a second after its begin.
const STORED: u64 = 1_700_000_000;

fn stored_at() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(STORED * 1_000 + 500)
}

fn date(offset: i64) -> Option<DateTime> {
    Some(DateTime::from_secs(i64::try_from(STORED).unwrap() + offset))
}

#[tokio::test]
async fn a_date_decides_where_no_etag_does() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start_at(dir.path(), stored_at()).await;
    let client = server.client("all");
    let etag = put(&client, "key", "x").send().await.unwrap().e_tag.unwrap();
    let (same, other) = (Some(etag.as_str()), Some("\"0\""));
    // If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since: each pair with the status.
    for (if_match, unmodified, if_none_match, modified, status) in [
        (None, None, None, date(-1), 200),
        (None, None, None, date(0), 304),
        (None, None, None, date(1), 304),
        (None, date(-1), None, None, 412),
        (None, date(0), None, None, 200),
        (None, date(1), None, None, 200),
        (same, date(-1), None, None, 200),
        (other, date(1), None, None, 412),
        (None, None, other, date(1), 200),
        (None, None, same, date(-1), 304),
        (None, date(-1), None, date(1), 412),
        (None, date(0), None, date(0), 304),
        (same, date(-1), other, date(1), 200),
    ] {
        let case = format!("{if_match:?} {unmodified:?} {if_none_match:?} {modified:?}");
        let get = client.get_object().bucket(BUCKET).key("key");
        let get = get.set_if_match(if_match.map(str::to_owned)).set_if_none_match(if_none_match.map(str::to_owned));
        let get = get.set_if_unmodified_since(unmodified).set_if_modified_since(modified).send().await;
        let head = client.head_object().bucket(BUCKET).key("key");
        let head = head.set_if_match(if_match.map(str::to_owned)).set_if_none_match(if_none_match.map(str::to_owned));
        let head = head.set_if_unmodified_since(unmodified).set_if_modified_since(modified).send().await;
        if status == 200 {
            assert!(get.is_ok() && head.is_ok(), "{case}");
        } else {
            assert_eq!((refusal(get).0, refusal(head).0), (status, status), "{case}");
        }
    }
    let unchanged = client.get_object().bucket(BUCKET).key("key").if_none_match(&etag).send().await.unwrap_err();
    let headers = unchanged.raw_response().unwrap().headers();
    assert_eq!((headers.get("etag"), headers.get("last-modified")), (same, Some("Tue, 14 Nov 2023 22:13:20 GMT")));
}

#[tokio::test]
async fn a_copy_on_a_condition_is_made_or_412() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start_at(dir.path(), stored_at()).await;
    let client = server.client("all");
    let etag = put(&client, "key", "x").send().await.unwrap().e_tag.unwrap();
    let upload = client.create_multipart_upload().bucket(BUCKET).key("copy").send().await.unwrap().upload_id.unwrap();
    for (if_match, unmodified, modified, is_made) in [
        (None, None, date(-1), true),
        (None, None, date(0), false),
        (None, date(-1), None, false),
        (None, date(0), None, true),
        (Some(etag), date(-1), None, true),
    ] {
        let copy = client.copy_object().bucket(BUCKET).key("copy").copy_source(format!("{BUCKET}/key"));
        let copy = copy.set_copy_source_if_match(if_match.clone()).set_copy_source_if_unmodified_since(unmodified);
        let copy = copy.set_copy_source_if_modified_since(modified).send().await;
        let part = client.upload_part_copy().bucket(BUCKET).key("copy").upload_id(&upload).part_number(1);
        let part = part.copy_source(format!("{BUCKET}/key")).set_copy_source_if_match(if_match);
        let part = part.set_copy_source_if_unmodified_since(unmodified).set_copy_source_if_modified_since(modified);
        let part = part.send().await;
        if is_made {
            assert!(copy.is_ok() && part.is_ok(), "{unmodified:?} {modified:?}");
        } else {
            let failed = refused(412, "PreconditionFailed");
            assert_eq!((refusal(copy), refusal(part)), (failed.clone(), failed), "{unmodified:?} {modified:?}");
        }
    }
}
