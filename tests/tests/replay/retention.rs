//! A nonce is kept until 60 s after its timestamp, and leaves in a write that admits another.

use firefly_core::signed_request::Nonce;
use firefly_testkit::answer::assert_failure;
use firefly_testkit::{START, TestCloud};

use super::{base64, nonces, send, sign, writes};

fn nonce(number: u8) -> Nonce {
    Nonce::new([number; 32])
}

/// The nonce with which a request was signed at `sent` (relative to the server's clock then) is in the record up to the
/// 60th second after its timestamp.
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_leaves_60_seconds_after_its_timestamp() {
    let cloud = TestCloud::start().await;
    for sent in [-10_i64, 0, 10] {
        let timestamp = START.checked_add_signed(sent).unwrap();
        for (second, kept) in [(timestamp + 59, true), (timestamp + 60, false), (timestamp + 61, false)] {
            let case = format!("signed at {sent} s, {} s after its timestamp", second - timestamp);
            cloud.set_now(START);
            let device = cloud.registered_device().await;
            assert_eq!(send(&cloud, &sign(&device, &nonce(1), timestamp)).await.status, 200, "{case}");
            cloud.set_now(second);
            assert_eq!(send(&cloud, &sign(&device, &nonce(2), second)).await.status, 200, "{case}");
            let record = cloud.replay_record(device.uuid()).await.unwrap();
            let expected = if kept { base64([nonce(1), nonce(2)]) } else { base64([nonce(2)]) };
            assert_eq!((nonces(&record), writes(&record)), (expected, 2), "{case}");
            // Forgotten, the nonce is good again, under a timestamp of now.
            let again = send(&cloud, &sign(&device, &nonce(1), second)).await;
            if kept {
                assert_failure(&case, &again, 401, "replayed");
            } else {
                assert_eq!(again.status, 200, "{case}");
            }
        }
    }
}

/// A nonce leaves once its retention is over, for any order of arrival. Those that are due leave together, in the write
/// that is due when the oldest of the write before leaves.
#[tokio::test(flavor = "multi_thread")]
async fn a_turnover_keeps_what_is_live() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    // The second of the request, its timestamp, and the nonces that are left then.
    let steps: [(u64, i64, Vec<u8>); 9] = [
        (0, 0, vec![1]),
        (0, 10, vec![1, 2]),
        (0, -10, vec![1, 2, 3]),
        (49, 49, vec![1, 2, 3, 4]),
        (50, 50, vec![1, 2, 3, 4, 5]),
        (59, 55, vec![1, 2, 3, 4, 5, 6]),
        (60, 60, vec![2, 4, 5, 6, 7]),
        (69, 69, vec![2, 4, 5, 6, 7, 8]),
        (70, 70, vec![4, 5, 6, 7, 8, 9]),
    ];
    for (number, (second, timestamp, left)) in (1..).zip(steps) {
        cloud.set_now(START + second);
        let signed = sign(&device, &nonce(number), START.checked_add_signed(timestamp).unwrap());
        assert_eq!(send(&cloud, &signed).await.status, 200, "at {second} s");
        let record = cloud.replay_record(device.uuid()).await.unwrap();
        let mut expected: Vec<_> = left.iter().map(|number| nonce(*number).to_base64()).collect();
        expected.sort();
        assert_eq!(nonces(&record), expected, "at {second} s");
        assert_eq!(writes(&record), u64::from(number), "at {second} s");
        // Every one that is left is refused.
        for number in left {
            let again = send(&cloud, &sign(&device, &nonce(number), START + second)).await;
            assert_failure(&format!("{number} at {second} s"), &again, 401, "replayed");
        }
    }
}

/// A host whose clock is behind another's finds the nonce as long as the request is fresh by its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_is_still_replayed_on_a_host_whose_clock_is_behind() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let signed = sign(&device, &nonce(1), START);
    assert_eq!(send(&cloud, &signed).await.status, 200);
    // Another host, up to 49 s ahead, writes in between.
    for ahead in [10, 30, 49] {
        cloud.set_now(START + 10 + ahead);
        assert_eq!(send(&cloud, &cloud.sign(&device)).await.status, 200);
        cloud.set_now(START + 10);
        assert_failure("a host that is behind", &send(&cloud, &signed).await, 401, "replayed");
    }
}
