//! Every case of the replay rule, with requests that are really signed and verified.

use std::{collections::BTreeMap, error::Error};

use base64::{Engine, prelude::BASE64_STANDARD};
use firefly_core::{
    device::DevicePublicKey,
    replay::{
        Admission, AttemptId, NONCE_CAPACITY, NONCE_RETENTION_SECONDS, NonceEntry, ReplayRecord, UPLOADS_PER_DAY,
        Uploads, Work, admission,
    },
    signature::Signature,
    signed_request::{
        CLOCK_SKEW_SECONDS, Nonce, SignatureHeaders, SignatureVerified, SignedRequest, Timestamp, signed_message,
    },
    time::UnixSeconds,
};
use p256::ecdsa::{SigningKey, signature::Signer};
use proptest::prelude::*;

const NOW: UnixSeconds = UnixSeconds::new(1_750_000_000);
const ATTEMPT: AttemptId = AttemptId::new(*b"attempt1");
const OTHER_ATTEMPT: AttemptId = AttemptId::new(*b"attempt2");
const INSERT: Admission = Admission::Insert { upload_on: None };
/// The uploads of no day.
const NO_UPLOADS: Uploads = Uploads { day: 0, count: 0 };
/// The UTC day of [`NOW`], which ends in 32,000 s.
const TODAY: u64 = 1_750_000_000 / 86_400;

/// Returns the evidence for a request that was signed at `sent_at` with nonce number `nonce`.
fn verified(nonce: u16, sent_at: UnixSeconds) -> Result<SignatureVerified, Box<dyn Error>> {
    let key = SigningKey::from_slice(&[7; 32])?;
    let point = key.verifying_key().to_sec1_point(false);
    let public_key = DevicePublicKey::from_base64(&BASE64_STANDARD.encode(point))?;
    let (nonce, timestamp) = (nonce_number(nonce), Timestamp::from(sent_at));
    let signature: p256::ecdsa::DerSignature = key.sign(&signed_message(&nonce, &timestamp));
    let request = SignedRequest::parse(SignatureHeaders {
        uuid: Some("2d411e72-c806-3038-573b-bb16a4a19bcf"),
        nonce: Some(&nonce.to_base64()),
        timestamp: Some(timestamp.as_str()),
        signature: Some(&Signature::from_der(signature.as_bytes())?.to_base64()),
    })?;
    Ok(request.verify(&public_key, sent_at)?)
}

fn nonce_number(number: u16) -> Nonce {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    Nonce::new(bytes)
}

fn entry(sent_at: UnixSeconds) -> NonceEntry {
    NonceEntry { sent_at, attempt: OTHER_ATTEMPT }
}

/// Returns a record of version 5 with nonces 1, 2, …, signed at these seconds.
fn record(turnover_at: UnixSeconds, sent_at: &[UnixSeconds]) -> ReplayRecord {
    ReplayRecord {
        version: 5,
        turnover_at,
        entries: (1..).map(nonce_number).zip(sent_at.iter().copied().map(entry)).collect(),
        uploads: NO_UPLOADS,
    }
}

fn before(seconds: u64) -> UnixSeconds {
    NOW.saturating_sub(seconds)
}

fn after(seconds: u64) -> UnixSeconds {
    NOW.saturating_add(seconds)
}

#[test]
fn a_device_without_a_record_gets_its_first() {
    let request = verified(0, before(4)).unwrap();
    assert_eq!(
        admission(None, &request, Work::Other, ATTEMPT, NOW),
        Admission::Rewrite(ReplayRecord {
            version: 1,
            turnover_at: after(56),
            entries: BTreeMap::from([(nonce_number(0), NonceEntry { sent_at: before(4), attempt: ATTEMPT })]),
            uploads: NO_UPLOADS,
        })
    );
}

#[test]
fn a_live_record_is_inserted_into_until_the_second_it_turns_over() {
    let request = verified(0, NOW).unwrap();
    for (turnover_at, inserted) in [(after(1), true), (NOW, false), (before(1), false)] {
        let record = record(turnover_at, &[before(1)]);
        let judged = admission(Some(&record), &request, Work::Other, ATTEMPT, NOW);
        assert_eq!(judged == INSERT, inserted, "{turnover_at}");
        assert_eq!(matches!(judged, Admission::Rewrite(_)), !inserted, "{turnover_at}");
    }
}

#[test]
fn a_rewrite_forgets_a_nonce_from_the_second_its_retention_ends() {
    let request = verified(0, NOW).unwrap();
    for (age, kept) in
        [(NONCE_RETENTION_SECONDS - 1, true), (NONCE_RETENTION_SECONDS, false), (NONCE_RETENTION_SECONDS + 1, false)]
    {
        let Admission::Rewrite(rewritten) =
            admission(Some(&record(NOW, &[before(age)])), &request, Work::Other, ATTEMPT, NOW)
        else {
            panic!("a record that turns over is rewritten");
        };
        let mut entries = BTreeMap::from([(nonce_number(0), NonceEntry { sent_at: NOW, attempt: ATTEMPT })]);
        if kept {
            entries.insert(nonce_number(1), entry(before(age)));
        }
        let turnover_at = if kept { after(1) } else { after(NONCE_RETENTION_SECONDS) };
        assert_eq!(rewritten, ReplayRecord { version: 6, turnover_at, entries, uploads: NO_UPLOADS }, "{age} s");
    }
}

#[test]
fn a_rewrite_turns_over_when_its_oldest_nonce_may_be_forgotten() {
    // Requests need not come in the order of their timestamps: the new one may be the oldest.
    for (kept, sent_at, turnover_at) in [
        (vec![before(20), before(50), after(3)], NOW, after(10)),
        (vec![after(5), after(3)], before(10), after(50)),
        (vec![], after(10), after(70)),
    ] {
        let request = verified(0, sent_at).unwrap();
        let Admission::Rewrite(rewritten) = admission(Some(&record(NOW, &kept)), &request, Work::Other, ATTEMPT, NOW)
        else {
            panic!("a record that turns over is rewritten");
        };
        assert_eq!(rewritten.turnover_at, turnover_at);
        assert_eq!(rewritten.entries.len(), kept.len() + 1);
    }
}

#[test]
fn a_spent_nonce_is_told_from_a_repeated_write_by_its_attempt() {
    // A nonce in the record is spent, be the record live or due to turn over, be the nonce fresh or past its retention.
    for turnover_at in [after(1), NOW, before(100)] {
        for age in [0, NONCE_RETENTION_SECONDS, 1000] {
            let record = record(turnover_at, &[before(age)]);
            let request = verified(1, NOW).unwrap();
            assert_eq!(admission(Some(&record), &request, Work::Other, OTHER_ATTEMPT, NOW), Admission::AlreadyAdmitted);
            assert_eq!(admission(Some(&record), &request, Work::Other, ATTEMPT, NOW), Admission::Replayed);
        }
    }
}

#[test]
fn a_full_record_admits_a_request_only_if_a_nonce_may_be_forgotten() {
    let request = verified(0, NOW).unwrap();
    let full = |oldest| {
        let mut sent_at = vec![before(10); NONCE_CAPACITY];
        sent_at[100] = oldest;
        record(after(1), &sent_at)
    };
    for (oldest, retry_after_seconds) in [(before(59), 1), (before(58), 2), (before(11), 49)] {
        assert_eq!(
            admission(Some(&full(oldest)), &request, Work::Other, ATTEMPT, NOW),
            Admission::Full { retry_after_seconds }
        );
    }
    let Admission::Rewrite(rewritten) = admission(Some(&full(before(60))), &request, Work::Other, ATTEMPT, NOW) else {
        panic!("one nonce of the full record may be forgotten");
    };
    assert_eq!(rewritten.entries.len(), NONCE_CAPACITY);
    assert!(!rewritten.entries.contains_key(&nonce_number(101)));

    let mut room_for_one = full(before(11));
    room_for_one.entries.pop_first();
    assert_eq!(admission(Some(&room_for_one), &request, Work::Other, ATTEMPT, NOW), INSERT);
}

/// Returns a live record with this count of uploads.
fn uploaded(day: u64, count: u64) -> ReplayRecord {
    ReplayRecord { uploads: Uploads { day, count }, ..record(after(1), &[before(1)]) }
}

#[test]
fn an_upload_is_counted_on_its_day_and_no_other_request_is() {
    let request = verified(0, NOW).unwrap();
    let full = uploaded(TODAY, UPLOADS_PER_DAY);
    let (room, ahead) = (uploaded(TODAY, UPLOADS_PER_DAY - 1), uploaded(TODAY + 1, UPLOADS_PER_DAY - 1));
    let judge = |record: &ReplayRecord, work| admission(Some(record), &request, work, ATTEMPT, NOW);
    assert_eq!(judge(&room, Work::Upload), Admission::Insert { upload_on: Some(TODAY) });
    // Another host's day may have begun.
    assert_eq!(judge(&ahead, Work::Upload), Admission::Insert { upload_on: Some(TODAY + 1) });
    for record in [&full, &room, &ahead] {
        assert_eq!(judge(record, Work::Other), INSERT);
    }
}

#[test]
fn an_upload_beyond_the_quota_waits_for_the_end_of_the_day() {
    let request = verified(0, NOW).unwrap();
    for count in [UPLOADS_PER_DAY, UPLOADS_PER_DAY + 1] {
        for (day, retry_after_seconds) in [(TODAY, 32_000), (TODAY + 1, 32_000 + 86_400)] {
            let judged = admission(Some(&uploaded(day, count)), &request, Work::Upload, ATTEMPT, NOW);
            assert_eq!(judged, Admission::TooManyUploads { retry_after_seconds }, "{day} {count}");
        }
    }
    // A copy is a copy, however many uploads there were.
    let copy = verified(1, NOW).unwrap();
    let judged = admission(Some(&uploaded(TODAY, UPLOADS_PER_DAY)), &copy, Work::Upload, ATTEMPT, NOW);
    assert_eq!(judged, Admission::Replayed);
}

#[test]
fn the_first_upload_of_a_day_begins_its_count() {
    let request = verified(0, NOW).unwrap();
    // A day beyond tomorrow is that of a clock that was wrong.
    for day in [0, TODAY - 1, TODAY + 2] {
        let record = uploaded(day, UPLOADS_PER_DAY);
        let Admission::Rewrite(rewritten) = admission(Some(&record), &request, Work::Upload, ATTEMPT, NOW) else {
            panic!("the day of the record is over");
        };
        assert_eq!(rewritten.uploads, Uploads { day: TODAY, count: 1 });
        assert_eq!(rewritten.entries.len(), 2);
    }
    let Admission::Rewrite(first) = admission(None, &request, Work::Upload, ATTEMPT, NOW) else {
        panic!("there is no record yet");
    };
    assert_eq!(first.uploads, Uploads { day: TODAY, count: 1 });
}

#[test]
fn a_rewrite_keeps_the_count_of_uploads_and_an_upload_adds_to_it() {
    let request = verified(0, NOW).unwrap();
    for (work, count) in [(Work::Other, 7), (Work::Upload, 8)] {
        let due = ReplayRecord { turnover_at: NOW, ..uploaded(TODAY, 7) };
        let Admission::Rewrite(rewritten) = admission(Some(&due), &request, work, ATTEMPT, NOW) else {
            panic!("a record that turns over is rewritten");
        };
        assert_eq!(rewritten.uploads, Uploads { day: TODAY, count });
    }
}

#[test]
fn at_least_100_uploads_a_day_are_admitted() {
    let promised = 100..;
    assert!(promised.contains(&UPLOADS_PER_DAY));
}

#[test]
fn a_record_is_spent_when_its_youngest_nonce_may_be_forgotten() {
    for (sent_at, spent) in [
        (vec![], true),
        (vec![before(60)], true),
        (vec![before(59)], false),
        (vec![before(500), before(60)], true),
        (vec![before(500), after(10)], false),
    ] {
        assert_eq!(record(NOW, &sent_at).is_spent(NOW), spent, "{sent_at:?}");
    }
}

#[test]
fn a_full_record_still_knows_its_nonces() {
    let record = record(after(1), &vec![before(10); NONCE_CAPACITY]);
    let request = verified(1, NOW).unwrap();
    assert_eq!(admission(Some(&record), &request, Work::Other, ATTEMPT, NOW), Admission::Replayed);
    assert_eq!(admission(Some(&record), &request, Work::Other, OTHER_ATTEMPT, NOW), Admission::AlreadyAdmitted);
}

#[test]
fn a_record_over_its_capacity_is_full() {
    let request = verified(0, NOW).unwrap();
    for turnover_at in [after(1), NOW] {
        let record = record(turnover_at, &vec![before(10); NONCE_CAPACITY + 5]);
        assert_eq!(
            admission(Some(&record), &request, Work::Other, ATTEMPT, NOW),
            Admission::Full { retry_after_seconds: 50 }
        );
    }
}

#[test]
fn a_rewrite_never_keeps_the_version() {
    let request = verified(0, NOW).unwrap();
    let record = ReplayRecord { version: u64::MAX, ..record(NOW, &[]) };
    let Admission::Rewrite(rewritten) = admission(Some(&record), &request, Work::Other, ATTEMPT, NOW) else {
        panic!("a record that turns over is rewritten");
    };
    assert_ne!(rewritten.version, record.version);
}

#[test]
fn capacity_is_at_least_512_and_retention_outlasts_the_window() {
    let promised = 512..;
    assert!(promised.contains(&NONCE_CAPACITY));
    // A nonce outlives both ends of the window in which its request verifies.
    let window = CLOCK_SKEW_SECONDS..;
    assert!(window.contains(&(NONCE_RETENTION_SECONDS - CLOCK_SKEW_SECONDS)));
}

#[test]
fn an_entry_survives_its_stored_form() {
    let entry = NonceEntry { sent_at: UnixSeconds::new(0x0102_0304), attempt: ATTEMPT };
    let bytes = entry.to_bytes();
    assert_eq!(&bytes, b"\0\0\0\0\x01\x02\x03\x04attempt1");
    assert_eq!(NonceEntry::from_bytes(&bytes), Some(entry));
    for end in 0..bytes.len() {
        assert_eq!(NonceEntry::from_bytes(&bytes[..end]), None, "{end}");
    }
    assert_eq!(NonceEntry::from_bytes(&[bytes.as_slice(), b"\0"].concat()), None);
}

/// One request of a simulated device: seconds since the last one, its clock against ours, its nonce.
fn step() -> impl Strategy<Value = (u64, u64, u16)> {
    (0..30_u64, 0..=2 * CLOCK_SKEW_SECONDS, 0..12_u16)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_request_is_admitted_twice(steps in prop::collection::vec(step(), 1..60)) {
        let mut now = NOW;
        let mut stored: Option<ReplayRecord> = None;
        // The timestamps of admitted requests, by nonce.
        let mut admitted: BTreeMap<u16, UnixSeconds> = BTreeMap::new();
        for (attempt, (pause, clock, nonce)) in (0_u64..).zip(steps) {
            now = now.saturating_add(pause);
            let sent_at = now.saturating_sub(CLOCK_SKEW_SECONDS).saturating_add(clock);
            let request = verified(nonce, sent_at).unwrap();
            let attempt = AttemptId::new(attempt.to_be_bytes());
            let must_refuse = admitted
                .get(&nonce)
                .is_some_and(|sent_at| sent_at.saturating_add(NONCE_RETENTION_SECONDS) > now);
            match admission(stored.as_ref(), &request, Work::Other, attempt, now) {
                Admission::Insert { .. } => {
                    prop_assert!(!must_refuse);
                    let record = stored.as_mut().unwrap();
                    record.entries.insert(request.nonce(), NonceEntry { sent_at, attempt });
                    admitted.insert(nonce, sent_at);
                }
                Admission::Rewrite(record) => {
                    prop_assert!(!must_refuse);
                    prop_assert_ne!(stored.map_or(0, |old| old.version), record.version);
                    stored = Some(record);
                    admitted.insert(nonce, sent_at);
                }
                Admission::Replayed => prop_assert!(admitted.contains_key(&nonce)),
                other => prop_assert!(false, "{other:?}"),
            }
            // An attempt that repeats its own write is recognised.
            if admitted.get(&nonce) == Some(&sent_at)
                && stored.as_ref().unwrap().entries[&request.nonce()].attempt == attempt
            {
                prop_assert_eq!(
                    admission(stored.as_ref(), &request, Work::Other, attempt, now),
                    Admission::AlreadyAdmitted
                );
            }
        }
    }
}
