//! The four headers: each must be there, once, in its strict form.

use firefly_device::SignedHeaders;
use firefly_testkit::answer::assert_failure;
use firefly_testkit::{TestCloud, new_device};

use super::{ROUTES, headers, send, with};

/// Values that are not a UUID, a nonce of 32 bytes, a timestamp or a signature.
const MALFORMED: [(&str, &[&[u8]]); 4] = [
    (
        "X-Device-UUID",
        &[
            b"",
            b"unknown",
            b"2d411e72c8063038573bbb16a4a19bcf",
            b"{2d411e72-c806-3038-573b-bb16a4a19bcf}",
            b"urn:uuid:2d411e72-c806-3038-573b-bb16a4a19bcf",
            b"2d411e72-c806-3038-573b-bb16a4a19bc",
            b"2d411e72-c806-3038-573b-bb16a4a19bcf0",
            b"2d411e72-c806-3038-573b-bb16a4a19bcg",
            b"2d411e72_c806_3038_573b_bb16a4a19bcf",
            b"2d411e72-c806-3038-573b-bb16a4a19b\xc3\xa9",
            b"2d411e72-c806-3038-573b-bb16a4a19bc\xff",
            b"2d411e72-c806-3038-573b-bb16a4a19bcf,2d411e72-c806-3038-573b-bb16a4a19bcf",
        ],
    ),
    (
        "X-Device-Nonce",
        &[
            b"",
            b"nonce",
            // 31, 33 and 0 bytes.
            b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
            b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            b"====",
            // No padding, too much of it, bits left over, the URL's alphabet, blanks, hex.
            b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
            b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
            b"-_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            b"AAAAAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAAA=",
            b"0000000000000000000000000000000000000000000000000000000000000000",
            b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\xff=",
            b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ],
    ),
    (
        "X-Device-Timestamp",
        &[
            b"",
            b"now",
            b"2000000000",
            b"2033-05-18T03:33:20",
            b"2033-05-18T03:33:20z",
            b"2033-05-18t03:33:20Z",
            b"2033-05-18 03:33:20Z",
            b"2033-05-18T03:33:20.0Z",
            b"2033-05-18T03:33:20+00:00",
            b"2033-5-18T03:33:20Z",
            b"2033-05-18T03:33Z",
            b"2033-05-18T24:00:00Z",
            b"2033-05-18T03:33:60Z",
            b"2033-02-29T03:33:20Z",
            b"2033-13-18T03:33:20Z",
            b"1969-12-31T23:59:59Z",
            b"+033-05-18T03:33:20Z",
            b"12033-05-18T03:33:20Z",
            b"2033-05-18T03:33:2\xb2Z",
            b"2033-05-18T03:33:20Z,2033-05-18T03:33:20Z",
        ],
    ),
    (
        "X-Device-Signature",
        &[
            b"",
            b"signature",
            // r = s = 1 in DER: the URL's alphabet, no padding, blanks, a byte more, other bytes.
            b"MAYCAQECAQ_",
            b"MAYCAQECAQE",
            b"MAYC AQECAQE=",
            b"MAYCAQECAQEA",
            b"MAYCAQECAQ\xff=",
            b"MAYCAQECAQE=,MAYCAQECAQE=",
        ],
    ),
];

/// The answer comes from a cloud that has no store at all: nothing is read before the headers parse.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_malformed_header_is_400_before_any_store_is_read() {
    let cloud = TestCloud::start().await;
    let storeless = cloud.through("http://127.0.0.1:1", "http://127.0.0.1:1").await;
    let device = new_device();
    let good = headers(&cloud.sign(&device));
    let uuid = device.uuid().to_string();
    for route in ROUTES {
        for name in SignedHeaders::NAMES {
            let case = format!("{route:?} without {name}");
            let missing = good.iter().filter(|header| header.0 != name).cloned().collect();
            let message = assert_failure(&case, &send(&storeless, route, &uuid, &missing).await, 400, "invalid_header");
            assert_eq!(message, format!("header {name} is missing"), "{case}");

            let case = format!("{route:?} with {name} twice");
            let twice = good.iter().chain(good.iter().filter(|header| header.0 == name)).cloned().collect();
            let message = assert_failure(&case, &send(&storeless, route, &uuid, &twice).await, 400, "invalid_header");
            assert_eq!(message, format!("header {name} is malformed"), "{case}");
        }
        for (name, values) in MALFORMED {
            for value in values {
                let case = format!("{route:?} with {name}: {}", String::from_utf8_lossy(value));
                let answer = send(&storeless, route, &uuid, &with(good.clone(), name, value)).await;
                let message = assert_failure(&case, &answer, 400, "invalid_header");
                assert_eq!(message, format!("header {name} is malformed"), "{case}");
            }
        }
    }
}

/// The answer comes from a cloud that has no store at all: the device in the path is judged by the request alone.
#[tokio::test(flavor = "multi_thread")]
async fn another_device_than_the_path_s_is_403_before_any_store_is_read() {
    let cloud = TestCloud::start().await;
    let storeless = cloud.through("http://127.0.0.1:1", "http://127.0.0.1:1").await;
    let device = new_device();
    let signed = headers(&cloud.sign(&device));
    let other = new_device().uuid().to_string();
    let uuid = device.uuid().to_string();
    let paths = [
        other.clone(),
        other.to_uppercase(),
        uuid.replace('-', ""),
        format!("%7B{uuid}%7D"),
        format!("{uuid}%00"),
        format!("{uuid}%23replay"),
        format!("%20{uuid}"),
        "%FF".to_owned(),
        "%".to_owned(),
        "..%2F..".to_owned(),
        "null".to_owned(),
    ];
    for route in ROUTES {
        for path in &paths {
            let case = format!("{route:?} for {path}");
            assert_failure(&case, &send(&storeless, route, path, &signed).await, 403, "device_mismatch");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn header_names_and_uuids_are_accepted_in_any_case() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let lower = device.uuid().to_string();
    let upper = lower.to_uppercase();
    let mixed: String =
        lower.char_indices().map(|(at, c)| if at % 2 == 0 { c.to_ascii_uppercase() } else { c }).collect();
    for (header, path) in [(&lower, &upper), (&upper, &lower), (&mixed, &upper), (&upper, &mixed)] {
        let signed = with(headers(&cloud.sign(&device)), "X-Device-UUID", header.as_bytes());
        let answer = send(&cloud, ("GET", "registration"), path, &signed).await;
        assert_eq!((answer.status, answer.member("uuid")), (200, Some(lower.clone())), "{header} {path}");
    }
    for change in [str::to_lowercase, str::to_uppercase] {
        let signed =
            headers(&cloud.sign(&device)).into_iter().map(|(name, value)| (change(name), value)).collect::<Vec<_>>();
        let path = format!("/devices/{lower}/registration");
        let answer = cloud.client().request("GET", &path, &signed, None).await.unwrap();
        assert_eq!(answer.status, 200, "{:?}", signed[0].0);
    }
}

/// A backup sent under an upper-case UUID is the device's one backup.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_stored_under_the_uuid_in_lower_case() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let envelope = device.seal(b"configuration", &[1; 12]).unwrap();
    let upper = device.uuid().to_string().to_uppercase();
    let signed = with(headers(&cloud.sign(&device)), "X-Device-UUID", upper.as_bytes());
    let path = format!("/devices/{upper}/backup");
    let answer = cloud.client().request("POST", &path, &signed, Some(&envelope)).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(cloud.stored_backup(device.uuid()).await.unwrap().0, envelope);
    assert!(cloud.device_item(device.uuid()).await.unwrap().contains_key("last_backup_date"));
    assert_eq!(cloud.restore(&device).await.body, envelope);
}
