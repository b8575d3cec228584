//! A signed request is judged in a fixed order, with an answer of its own for each fault.

use firefly_core::time::UnixSeconds;
use firefly_device::{Identity, SignedHeaders, random_nonce};
use firefly_testkit::answer::{assert_failure, json};
use firefly_testkit::wire::Tap;
use firefly_testkit::{START, TestCloud, new_device};

use super::{Headers, ROUTES, headers, send, with};

/// A signature that is well formed and nobody's: r = s = 1.
const NOBODYS_SIGNATURE: &[u8] = b"MAYCAQECAQE=";

fn sign_at(device: &Identity, seconds: u64) -> SignedHeaders {
    device.sign(&random_nonce(&mut rand::rng()), UnixSeconds::new(seconds))
}

fn unsigned(headers: Headers) -> Headers {
    with(headers, "X-Device-Signature", NOBODYS_SIGNATURE)
}

/// Every request has all the faults from its own on; the first of them is answered.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_fault_in_the_order_is_answered() {
    let cloud = TestCloud::start().await;
    let (device, stranger) = (cloud.registered_device().await, new_device());
    let (known, unknown) = (device.uuid().to_string(), stranger.uuid().to_string());
    let seen = headers(&cloud.sign(&device));
    assert_eq!(send(&cloud, ("GET", "registration"), &known, &seen).await.status, 200);
    let stale = START - 11;
    for route in ROUTES {
        let registration = route.1 == "registration";
        let cases = [
            (
                "a malformed header, of another device, unknown, stale, badly signed",
                with(unsigned(headers(&sign_at(&stranger, stale))), "X-Device-Nonce", b"AAAA"),
                &known,
                (400, "invalid_header"),
            ),
            (
                "of another device, unknown, stale, badly signed",
                unsigned(headers(&sign_at(&stranger, stale))),
                &known,
                (403, "device_mismatch"),
            ),
            (
                "unknown, stale, badly signed",
                unsigned(headers(&sign_at(&stranger, stale))),
                &unknown,
                if registration { (404, "not_registered") } else { (401, "unauthorized") },
            ),
            ("stale, badly signed", unsigned(headers(&sign_at(&device, stale))), &known, (401, "stale_timestamp")),
            ("seen before, badly signed", unsigned(seen.clone()), &known, (401, "unauthorized")),
            ("seen before", seen.clone(), &known, (401, "replayed")),
        ];
        for (fault, headers, uuid, (status, code)) in cases {
            // The body of a POST is not an envelope in each case.
            assert_failure(&format!("{route:?}: {fault}"), &send(&cloud, route, uuid, &headers).await, status, code);
        }
    }
    let answer = send(&cloud, ("POST", "backup"), &known, &headers(&cloud.sign(&device))).await;
    assert_failure("only a bad body", &answer, 400, "invalid_envelope");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_is_ten_whole_seconds_either_way() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let uuid = device.uuid().to_string();
    for route in ROUTES {
        for offset in [-10_i64, -9, 0, 9, 10] {
            let signed = headers(&sign_at(&device, START.checked_add_signed(offset).unwrap()));
            let answer = send(&cloud, route, &uuid, &signed).await;
            // The signature holds: the body, or the stored backup, is judged next.
            assert!(matches!(answer.status, 200 | 400 | 404), "{route:?} {offset} s: {}", answer.status);
        }
        for offset in [-1_000_000_000_i64, -3_600, -12, -11, 11, 12, 3_600, 1_000_000_000] {
            let signed = headers(&sign_at(&device, START.checked_add_signed(offset).unwrap()));
            let case = format!("{route:?} {offset} s");
            let answer = send(&cloud, route, &uuid, &signed).await;
            assert_failure(&case, &answer, 401, "stale_timestamp");
            assert_eq!(json(&answer)["server_time"], "2033-05-18T03:33:20Z", "{case}");
        }
    }
    // The earliest and the latest that a timestamp can be.
    for text in ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
        let signed = headers(&sign_at(&device, text.parse::<UnixSeconds>().unwrap().get()));
        assert_failure(text, &send(&cloud, ROUTES[0], &uuid, &signed).await, 401, "stale_timestamp");
    }
}

/// The window moves with the server's clock; `server_time` is that clock.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_stale_in_the_eleventh_second() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let uuid = device.uuid().to_string();
    let requests = [(); 2].map(|()| headers(&cloud.sign(&device)));
    cloud.advance(10);
    assert_eq!(send(&cloud, ROUTES[0], &uuid, &requests[0]).await.status, 200);
    cloud.advance(1);
    let answer = send(&cloud, ROUTES[0], &uuid, &requests[1]).await;
    assert_failure("eleven seconds old", &answer, 401, "stale_timestamp");
    assert_eq!(json(&answer)["server_time"], "2033-05-18T03:33:31Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_device_cannot_be_told_from_a_bad_signature() {
    let cloud = TestCloud::start().await;
    let (device, stranger) = (cloud.registered_device().await, new_device());
    for route in &ROUTES[1..] {
        let unknown = send(&cloud, *route, &stranger.uuid().to_string(), &headers(&cloud.sign(&stranger))).await;
        let bad = send(&cloud, *route, &device.uuid().to_string(), &unsigned(headers(&cloud.sign(&device)))).await;
        assert_failure(&format!("{route:?}"), &unknown, 401, "unauthorized");
        assert_eq!((unknown.status, &unknown.body), (bad.status, &bad.body), "{route:?}");
        let told = |answer: &firefly_device::Response| {
            let tells = answer.headers.iter().filter(|(name, _)| !["date", "apigw-requestid"].contains(&name.as_str()));
            tells.cloned().collect::<Vec<_>>()
        };
        assert_eq!(told(&unknown), told(&bad), "{route:?}");
    }
}

/// A signature covers device, nonce and timestamp: a change of any of the three is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_signature_holds_for_one_device_nonce_and_timestamp() {
    let cloud = TestCloud::start().await;
    let (device, other) = (cloud.registered_device().await, cloud.registered_device().await);
    let signed = headers(&cloud.sign(&device));
    let cases = [
        ("another registered device", with(signed.clone(), "X-Device-UUID", other.uuid().to_string().as_bytes())),
        (
            "another nonce",
            with(signed.clone(), "X-Device-Nonce", random_nonce(&mut rand::rng()).to_base64().as_bytes()),
        ),
        ("another second", with(signed.clone(), "X-Device-Timestamp", b"2033-05-18T03:33:21Z")),
        ("another signature", with(signed.clone(), "X-Device-Signature", &headers(&cloud.sign(&device))[3].1)),
    ];
    for route in ROUTES {
        for (change, headers) in &cases {
            let uuid = String::from_utf8(headers[0].1.clone()).unwrap();
            assert_failure(
                &format!("{route:?}: {change}"),
                &send(&cloud, route, &uuid, headers).await,
                401,
                "unauthorized",
            );
        }
    }
    // These requests have not spent the nonce.
    assert_eq!(send(&cloud, ROUTES[0], &device.uuid().to_string(), &signed).await.status, 200);
}

/// The engine here reads consistently always; AWS's does so only when it is asked to.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_and_its_replay_record_are_read_by_one_consistent_call() {
    let cloud = TestCloud::start().await;
    let (dynamodb, s3) = cloud.endpoints();
    let device = cloud.registered_device().await;
    for route in ROUTES {
        let tap = Tap::in_front_of(dynamodb).await;
        let tapped = cloud.through(tap.url(), s3).await;
        let signed = headers(&cloud.sign(&device));
        send(&tapped, route, &device.uuid().to_string(), &signed).await;
        let sent = String::from_utf8_lossy(&tap.sent()).into_owned();
        let calls = |operation: &str| sent.matches(&format!("x-amz-target: DynamoDB_20120810.{operation}")).count();
        assert_eq!((calls("BatchGetItem"), calls("Get"), calls("Query"), calls("Scan")), (1, 0, 0, 0), "{sent}");
        assert_eq!(sent.matches("\"ConsistentRead\":true").count(), 1, "{sent}");
        // The record as it was read makes the first write of the nonce the right one; a deletion also clears the date.
        let writes = if route.0 == "DELETE" { 2 } else { 1 };
        assert_eq!(calls("UpdateItem"), writes, "{route:?} {sent}");
    }
}
