//! Refusals: callers without the grant, absent objects, bodies that do not match their checksums.

use aws_sdk_s3::types::ChecksumAlgorithm;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use s3s::crypto::{Checksum, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use tempfile::TempDir;

use crate::server::{BUCKET, RawBody, Server, body_of, files_in, get, http_client, put, refusal, refused};

type Headers<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn an_absent_object_is_403_unless_listing_is_granted() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path()).await;
    let all = server.client("all");
    let get = async |name: &str| refusal(server.client(name).get_object().bucket(BUCKET).key("key").send().await);
    let head = async |name: &str| refusal(server.client(name).head_object().bucket(BUCKET).key("key").send().await).0;
    for step in ["never written", "deleted"] {
        assert_eq!(get("reader").await, refused(403, "AccessDenied"), "{step}");
        assert_eq!(get("lister").await, refused(404, "NoSuchKey"), "{step}");
        assert_eq!(get("all").await, refused(404, "NoSuchKey"), "{step}");
        assert_eq!((head("reader").await, head("lister").await), (403, 404), "{step}");
        put(&all, "key", "x").send().await.unwrap();
        assert!(server.client("reader").get_object().bucket(BUCKET).key("key").send().await.is_ok());
        all.delete_object().bucket(BUCKET).key("key").send().await.unwrap();
    }
}

#[tokio::test]
async fn an_action_that_is_not_granted_is_denied() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path()).await;
    let all = server.client("all");
    let version = put(&all, "key", "x").send().await.unwrap().version_id.unwrap();
    let (reader, writer, deleter) = (server.client("reader"), server.client("writer"), server.client("deleter"));
    let denied = refused(403, "AccessDenied");
    assert_eq!(refusal(put(&reader, "key", vec![0; 524_288]).send().await), denied);
    assert_eq!(refusal(reader.delete_object().bucket(BUCKET).key("key").send().await), denied);
    assert_eq!(refusal(reader.list_objects_v2().bucket(BUCKET).send().await), denied);
    assert_eq!(refusal(reader.list_object_versions().bucket(BUCKET).send().await), denied);
    assert_eq!(refusal(reader.create_bucket().bucket("another").send().await), denied);
    assert_eq!(refusal(reader.list_buckets().send().await), denied);
    assert_eq!(refusal(reader.head_bucket().bucket(BUCKET).send().await).0, 403);
    assert_eq!(refusal(writer.get_object().bucket(BUCKET).key("key").send().await), denied);
    assert_eq!(refusal(writer.head_object().bucket(BUCKET).key("key").send().await).0, 403);
    assert_eq!(refusal(reader.get_object().bucket(BUCKET).key("key").version_id(&version).send().await), denied);
    assert_eq!(refusal(deleter.delete_object().bucket(BUCKET).key("key").version_id(&version).send().await), denied);
    assert_eq!(body_of(get(&all, "key").await).await, b"x");
    assert!(put(&writer, "key", "y").send().await.is_ok());
    assert!(deleter.delete_object().bucket(BUCKET).key("key").send().await.is_ok());
}

#[tokio::test]
async fn signatures_are_verified() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path()).await;
    let forged = server.client_with_secret("all", "a guess");
    assert_eq!(refusal(put(&forged, "key", vec![0; 524_288]).send().await), refused(403, "SignatureDoesNotMatch"));
    let unknown = server.client_with_secret("nobody", "a guess");
    assert_eq!(refusal(put(&unknown, "key", "x").send().await), refused(403, "InvalidAccessKeyId"));
    let url = format!("http://{}/{BUCKET}/key", server.address);
    let anonymous = http_client().put(url).body("x").send().await.unwrap();
    assert_eq!(anonymous.status(), 403);
    assert!(files_in(&dir.path().join("buckets")).is_empty());
}

#[tokio::test]
async fn a_bucket_is_made_once_and_an_unknown_one_is_404() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path()).await;
    let client = server.client("all");
    client.create_bucket().bucket("another-one").send().await.unwrap();
    client.create_bucket().bucket("another-one").send().await.unwrap();
    client.head_bucket().bucket("another-one").send().await.unwrap();
    let listed = client.list_buckets().send().await.unwrap();
    assert_eq!(listed.buckets().iter().map(|b| b.name().unwrap()).collect::<Vec<_>>(), ["another-one", BUCKET]);
    let elsewhere = || client.get_object().bucket("no-such-bucket").key("key").send();
    assert_eq!(refusal(elsewhere().await), refused(404, "NoSuchBucket"));
    assert_eq!(refusal(put(&client, "k", "").bucket("no-such-bucket").send().await), refused(404, "NoSuchBucket"));
    assert_eq!(refusal(client.head_bucket().bucket("no-such-bucket").send().await).0, 404);
    assert_eq!(server.send_raw("PUT", "/a..b", &[], RawBody::Signed(b"")).await.0, 400);
    assert_eq!(refusal(client.get_bucket_versioning().bucket(BUCKET).send().await), refused(501, "NotImplemented"));
}

#[tokio::test]
async fn checksums_of_the_sdk_are_verified() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path()).await;
    let client = server.client("all");
    let algorithms = [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ];
    for algorithm in algorithms {
        let name = algorithm.as_str().to_ascii_lowercase();
        let stored = put(&client, &name, vec![7; 100_000]).checksum_algorithm(algorithm).send().await;
        assert!(stored.is_ok(), "{name}");
        assert_eq!(body_of(get(&client, &name).await).await, vec![7; 100_000], "{name}");
    }
    let right = put(&client, "key", "x").checksum_sha256(base64_of::<Sha256>(b"x")).send().await;
    assert!(right.is_ok());
    let wrong = put(&client, "key", "y").checksum_sha256(base64_of::<Sha256>(b"x")).send().await;
    assert_eq!(refusal(wrong), refused(400, "BadDigest"));
    let short = put(&client, "key", "y").checksum_sha256("eA==").send().await;
    assert_eq!(refusal(short), refused(400, "InvalidRequest"));
    assert_eq!(body_of(get(&client, "key").await).await, b"x");
}

#[tokio::test]
async fn a_body_that_does_not_match_what_is_said_of_it_is_not_stored() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(dir.path()).await;
    let path = format!("/{BUCKET}/key");
    let put = async |headers: &[(&str, &str)], body: RawBody<'_>| server.send_raw("PUT", &path, headers, body).await;

    let other = b"another body";
    let checksums = [
        ("content-md5", base64_of::<Md5>(other)),
        ("x-amz-checksum-crc32", base64_of::<Crc32>(other)),
        ("x-amz-checksum-crc32c", base64_of::<Crc32c>(other)),
        ("x-amz-checksum-crc64nvme", base64_of::<Crc64Nvme>(other)),
        ("x-amz-checksum-sha1", base64_of::<Sha1>(other)),
        ("x-amz-checksum-sha256", base64_of::<Sha256>(other)),
    ];
    for (name, checksum) in &checksums {
        let (status, answer) = put(&[(name, checksum)], RawBody::Signed(b"the body")).await;
        assert!(status == 400 && answer.contains("<Code>BadDigest</Code>"), "{name}: {status} {answer}");

        if *name != "content-md5" {
            let announced = [("x-amz-trailer", *name), ("x-amz-decoded-content-length", "8")];
            let body = format!("8\r\nthe body\r\n0\r\n{name}:{checksum}\r\n\r\n");
            let (status, answer) = put(&announced, RawBody::Chunked(&body)).await;
            assert!(status == 400 && answer.contains("<Code>BadDigest</Code>"), "{name}: {status} {answer}");
        }
    }
    let good = base64_of::<Crc32>(b"the body");
    let trailer = ("x-amz-trailer", "x-amz-checksum-crc32");
    let length = ("x-amz-decoded-content-length", "8");
    let chunked = |end: &str| format!("8\r\nthe body\r\n{end}");
    let whole = chunked(&format!("0\r\nx-amz-checksum-crc32:{good}\r\n\r\n"));
    let cases: [(&str, Headers<'_>, RawBody<'_>); 9] = [
        ("XAmzContentSHA256Mismatch", &[], RawBody::Replaced { signed: b"signed", sent: b"forged" }),
        ("InvalidDigest", &[("content-md5", "bm90IGFuIG1kNQ==")], RawBody::Signed(b"the body")),
        ("InvalidRequest", &[("x-amz-checksum-sha1", "?")], RawBody::Signed(b"the body")),
        ("NotImplemented", &[("x-amz-checksum-xxhash64", "AAAAAAAAAAA=")], RawBody::Signed(b"the body")),
        ("MalformedTrailerError", &[trailer, length], RawBody::Chunked(&chunked("0\r\n\r\n"))),
        ("MalformedTrailerError", &[trailer, length], RawBody::Chunked(&chunked(""))),
        ("InvalidRequest", &[trailer, length], RawBody::Chunked("8\r\nthe b")),
        ("IncompleteBody", &[trailer, ("x-amz-decoded-content-length", "9")], RawBody::Chunked(&whole)),
        ("MetadataTooLarge", &[("x-amz-meta-long", &"x".repeat(2048))], RawBody::Signed(b"the body")),
    ];
    for (code, headers, body) in cases {
        let (status, answer) = put(headers, body).await;
        assert!((400..=501).contains(&status) && answer.contains(&format!("<Code>{code}</Code>")), "{code}: {answer}");
    }
    assert!(files_in(&dir.path().join("buckets")).is_empty());
    assert!(files_in(&dir.path().join("tmp")).is_empty());

    let (status, answer) = put(&[trailer, length], RawBody::Chunked(&whole)).await;
    assert_eq!((status, answer.as_str()), (200, ""));
    assert_eq!(body_of(get(&server.client("all"), "key").await).await, b"the body");
}

fn base64_of<C: Checksum>(body: &[u8]) -> String {
    BASE64.encode(C::checksum(body))
}
