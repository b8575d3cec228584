//! Bodies that are an envelope are stored; all others are refused.

use firefly_core::envelope::{Envelope, HEADER_LENGTH, MAX_LENGTH, MAX_PLAINTEXT_LENGTH};
use firefly_testkit::TestCloud;
use firefly_testkit::answer::assert_failure;

use super::{last_backup_date, refused_envelopes, upload};

/// An envelope of this many bytes of plaintext. Whether it can be opened is the device's matter.
fn envelope(plaintext_length: usize) -> Vec<u8> {
    Envelope::write(&[3; 12], &[4; 16], &vec![5; plaintext_length]).unwrap()
}

/// An envelope that claims `claimed` bytes of ciphertext and carries `carried`.
fn claiming(claimed: u32, carried: usize) -> Vec<u8> {
    [b"FFCE\x01".as_slice(), &[3; 12], &claimed.to_le_bytes(), &[4; 16], &vec![5; carried]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn well_formed_envelopes_are_stored_up_to_the_largest() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    assert_eq!(MAX_LENGTH, 524_325);
    for length in [0, 1, 37, MAX_PLAINTEXT_LENGTH - HEADER_LENGTH, MAX_PLAINTEXT_LENGTH - 36, MAX_PLAINTEXT_LENGTH] {
        let envelope = envelope(length);
        let answer = upload(&cloud, &device, &[], &envelope).await;
        assert_eq!(answer.status, 200, "{length}: {:?}", answer.body);
        assert!(cloud.stored_backup(device.uuid()).await.unwrap().0 == envelope, "{length}");
        let restored = cloud.restore(&device).await;
        assert!(restored.status == 200 && restored.body == envelope, "{length}");
    }
}

/// A refused body leaves the stored backup and its date as they were.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_an_envelope_is_refused_and_the_backup_kept() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let stored = envelope(100);
    assert_eq!(upload(&cloud, &device, &[], &stored).await.status, 200);
    let before = (cloud.object_versions(device.uuid()).await, last_backup_date(&cloud, &device).await);
    cloud.advance(5);

    let mut cases: Vec<(String, Vec<u8>, u16, &str)> = refused_envelopes()
        .into_iter()
        .map(|(name, bytes)| (format!("vector: {name}"), bytes, 400, "invalid_envelope"))
        .collect();
    for end in 0..=HEADER_LENGTH {
        cases.push((format!("the first {end} bytes"), stored[..end].to_vec(), 400, "invalid_envelope"));
    }
    let limit = MAX_PLAINTEXT_LENGTH;
    let rest = |length: usize| u32::try_from(length - HEADER_LENGTH).unwrap();
    let cut = |bytes: Vec<u8>, length: usize| bytes[..length].to_vec();
    for (name, bytes, status) in [
        ("not even the magic", vec![0; 100], 400),
        ("text", b"{\"message\":\"hello\"}".to_vec(), 400),
        ("524288 bytes of something else", vec![b'A'; limit], 400),
        ("524289 bytes of something else", vec![b'A'; limit + 1], 413),
        ("524325 bytes of something else", vec![b'A'; MAX_LENGTH], 413),
        ("524326 bytes of something else", vec![b'A'; MAX_LENGTH + 1], 413),
        ("1 MiB of something else", vec![b'A'; 1 << 20], 413),
        ("well formed but for one byte of plaintext too many", claiming(rest(MAX_LENGTH + 1), limit + 1), 413),
        ("well formed with 1 MiB of plaintext", claiming(1 << 20, 1 << 20), 413),
        ("524288 bytes that claim one more", claiming(rest(limit) + 1, limit - HEADER_LENGTH), 400),
        ("524289 bytes that claim one more", claiming(rest(limit + 1) + 1, limit + 1 - HEADER_LENGTH), 413),
        ("524325 bytes that claim one less", claiming(524_287, limit), 413),
        ("the largest, cut to 524288 bytes", cut(envelope(limit), limit), 400),
        ("the largest, cut to 524289 bytes", cut(envelope(limit), limit + 1), 413),
        ("the largest, cut to 524324 bytes", cut(envelope(limit), MAX_LENGTH - 1), 413),
        ("40 bytes that claim 4 GiB", claiming(u32::MAX, 3), 400),
        ("40 bytes that claim 512 KiB", claiming(524_288, 3), 400),
        ("524289 bytes that claim nothing", claiming(0, limit + 1 - HEADER_LENGTH), 413),
        ("37 bytes that claim one", claiming(1, 0), 400),
    ] {
        let code = if status == 413 { "envelope_too_large" } else { "invalid_envelope" };
        cases.push((name.to_owned(), bytes, status, code));
    }
    for (case, bytes, status, code) in cases {
        let message = assert_failure(&case, &upload(&cloud, &device, &[], &bytes).await, status, code);
        if status == 413 {
            let length = bytes.len();
            let text = "bytes are more than 524288 and not one complete, well-formed envelope of at most 524325";
            assert_eq!(message, format!("{length} {text}"), "{case}");
        }
    }
    let answer = cloud.signed(&cloud.sign(&device), "POST", "backup", &[], None).await;
    assert_failure("no body at all", &answer, 400, "invalid_envelope");

    let after = (cloud.object_versions(device.uuid()).await, last_backup_date(&cloud, &device).await);
    assert_eq!(before, after);
    assert_eq!(cloud.restore(&device).await.body, stored);
}

/// The content type decides only whether the event carries text or Base64.
#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_of_any_content_type_is_stored() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    // All of its bytes are ASCII, so that it can be carried as text.
    let ascii = Envelope::write(b"nonce nonce ", b"tag tag tag tag ", b"ciphertext").unwrap();
    let binary = envelope(64);
    for content_type in [
        None,
        Some(""),
        Some("application/octet-stream"),
        Some("text/plain"),
        Some("text/plain; charset=utf-16"),
        Some("application/json"),
        Some("application/xml"),
        Some("application/javascript"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("nonsense"),
    ] {
        let headers: Vec<_> = content_type.map(|value| ("Content-Type", value)).into_iter().collect();
        for envelope in [&ascii, &binary] {
            assert_eq!(upload(&cloud, &device, &headers, envelope).await.status, 200, "{content_type:?}");
            assert_eq!(&cloud.stored_backup(device.uuid()).await.unwrap().0, envelope, "{content_type:?}");
        }
        let answer = upload(&cloud, &device, &headers, b"").await;
        assert_failure(&format!("{content_type:?}"), &answer, 400, "invalid_envelope");
    }
    let twice = [("Content-Type", "text/plain"), ("Content-Type", "application/json")];
    assert_eq!(upload(&cloud, &device, &twice, &binary).await.status, 200);
}
