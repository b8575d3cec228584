//! A fleet against a cloud that keeps backups in memory.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use firefly_core::time::UnixSeconds;
use firefly_device::Client;
use firefly_device::fleet::{Phase, Plan, Report, run};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::server::{Received, Server, answer, error};

pub(crate) const TOKEN: &str = "header.claims.signature";

fn plan() -> Plan {
    Plan {
        devices: 7,
        product_hex: "0x0000F1F1".parse().unwrap(),
        token: TOKEN.to_owned(),
        uploads: 2,
        size: 100,
        rate: None,
        concurrency: NonZeroUsize::new(3).unwrap(),
        verify: true,
    }
}

async fn fleet(server: &Server, plan: &Plan) -> Report {
    let client = Client::new(&server.url()).unwrap();
    let clock = || UnixSeconds::new(1_750_000_000);
    let mut rng = StdRng::seed_from_u64(1);
    run(&client, plan, clock, &mut rng, |_, done, total| {
        assert!(done <= total);
    })
    .await
}

/// A cloud that stores what it is sent, except when `interfere` answers in its place.
pub(crate) fn cloud(interfere: impl Fn(&Received) -> Option<Vec<u8>> + Send + Sync + 'static) -> Server {
    let backups = Mutex::new(HashMap::new());
    let keys = AtomicUsize::new(0);
    Server::start(move |request| {
        if let Some(answer) = interfere(request) {
            return answer;
        }
        match request.route() {
            ("POST", "/registration-keys") => {
                let bearer = format!("Bearer {TOKEN}");
                if request.header("Authorization") != Some(&bearer) {
                    return error(401, "Unauthorized");
                }
                let key = format!("K{:05}", keys.fetch_add(1, Ordering::Relaxed));
                let body = format!(r#"{{"key":"{key}","expires_at":1750001800}}"#);
                answer(201, &[], body.as_bytes())
            }
            ("POST", "/devices/register") => answer(204, &[], b""),
            ("POST", path) => {
                let mut backups = backups.lock().unwrap();
                backups.insert(path.to_owned(), request.body.clone());
                answer(200, &[], b"{}")
            }
            (_, path) => match backups.lock().unwrap().get(path) {
                Some(envelope) => answer(200, &[], envelope),
                None => error(404, "none"),
            },
        }
    })
}

fn summary(report: &Report, phase: Phase) -> (usize, usize, Vec<(Option<u16>, usize)>) {
    let report = &report.phases[&phase];
    let answers = report.answers.iter().map(|(&status, &count)| (status, count));
    (report.requests(), report.failed, answers.collect())
}

#[tokio::test]
async fn every_device_registers_uploads_and_restores() {
    let server = cloud(|_| None);
    let report = fleet(&server, &plan()).await;
    assert_eq!(summary(&report, Phase::Mint), (7, 0, vec![(Some(201), 7)]));
    assert_eq!(summary(&report, Phase::Register), (7, 0, vec![(Some(204), 7)]));
    assert_eq!(summary(&report, Phase::Upload), (14, 0, vec![(Some(200), 14)]));
    assert_eq!(summary(&report, Phase::Verify), (7, 0, vec![(Some(200), 7)]));
    assert_eq!(report.failed(), 0);

    let received = server.received();
    assert_eq!(received.len(), 35);
    let distinct = |header: &str| {
        let mut values: Vec<_> =
            received.iter().filter_map(|request| request.header(header).map(str::to_owned)).collect();
        values.sort();
        values.dedup();
        values.len()
    };
    assert_eq!(distinct("X-Registration-Key"), 7);
    assert_eq!(distinct("X-Device-UUID"), 7);
    assert_eq!(distinct("X-Device-Nonce"), 21);
    assert_eq!(distinct("ETag"), 14);
    for request in received.iter().filter(|request| request.header("ETag").is_some()) {
        assert_eq!(request.body.len(), 137);
    }
}

#[tokio::test]
async fn a_429_of_minting_or_registering_is_waited_for() {
    let (keys, registrations) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let server = cloud(move |request| {
        let seen = match request.route() {
            ("POST", "/registration-keys") => keys.fetch_add(1, Ordering::Relaxed),
            ("POST", "/devices/register") => registrations.fetch_add(1, Ordering::Relaxed),
            _ => return None,
        };
        (seen < 5).then(|| answer(429, &[("Retry-After", "0")], br#"{"message":"later"}"#))
    });
    let report = fleet(&server, &plan()).await;
    assert_eq!(summary(&report, Phase::Mint), (12, 0, vec![(Some(201), 7), (Some(429), 5)]));
    assert_eq!(summary(&report, Phase::Register), (12, 0, vec![(Some(204), 7), (Some(429), 5)]));
    assert_eq!(report.failed(), 0);
    let sent = |path: &str| server.received().iter().filter(|request| request.route() == ("POST", path)).count();
    assert_eq!((sent("/registration-keys"), sent("/devices/register")), (12, 12));
}

#[tokio::test]
async fn a_429_that_does_not_end_is_a_failure() {
    let server = cloud(|request| {
        let minting = request.route() == ("POST", "/registration-keys");
        minting.then(|| answer(429, &[("Retry-After", "0")], br#"{"message":"later"}"#))
    });
    let report = fleet(&server, &plan()).await;
    assert_eq!(summary(&report, Phase::Mint), (7 * 600, 7, vec![(Some(429), 7 * 600)]));
}

#[tokio::test]
async fn without_verify_nothing_is_restored() {
    let server = cloud(|_| None);
    let plan = Plan { verify: false, uploads: 1, rate: Some(1e6), ..plan() };
    let report = fleet(&server, &plan).await;
    assert!(!report.phases.contains_key(&Phase::Verify));
    assert_eq!(report.failed(), 0);
    assert_eq!(server.received().len(), 21);
}

#[tokio::test]
async fn a_refused_token_ends_the_fleet_after_minting() {
    let server = cloud(|_| None);
    let plan = Plan { token: "another".to_owned(), ..plan() };
    let report = fleet(&server, &plan).await;
    assert_eq!(summary(&report, Phase::Mint), (7, 7, vec![(Some(401), 7)]));
    assert_eq!(report.phases.len(), 1);
    assert_eq!(report.phases[&Phase::Mint].causes["401 Unauthorized"], 7);
}

#[tokio::test]
async fn a_refused_device_is_counted_and_left_out_of_later_phases() {
    let registrations = AtomicUsize::new(0);
    let uploads = AtomicUsize::new(0);
    let server = cloud(move |request| match request.route() {
        ("POST", "/devices/register") => {
            (registrations.fetch_add(1, Ordering::Relaxed) == 0).then(|| error(409, "another key"))
        }
        ("POST", path) if path.starts_with("/devices/") => {
            (uploads.fetch_add(1, Ordering::Relaxed) == 0).then(|| error(503, "later"))
        }
        _ => None,
    });
    let plan = Plan { uploads: 1, ..plan() };
    let report = fleet(&server, &plan).await;
    let answers = vec![(Some(204), 6), (Some(409), 1)];
    assert_eq!(summary(&report, Phase::Register), (7, 1, answers));
    let answers = vec![(Some(200), 5), (Some(503), 1)];
    assert_eq!(summary(&report, Phase::Upload), (6, 1, answers));
    assert_eq!(summary(&report, Phase::Verify), (5, 0, vec![(Some(200), 5)]));
    assert_eq!(report.failed(), 2);
    let table = report.to_string();
    assert!(table.contains("register failed 1 times: 409 another key\n"), "{table}");
    assert!(table.contains("upload failed 1 times: 503 later\n"), "{table}");
}

#[tokio::test]
async fn an_unanswered_upload_may_be_restored_or_not() {
    let uploads = AtomicUsize::new(0);
    let server = cloud(move |request| match request.route() {
        // The last round is lost on the way back or on the way there.
        ("POST", path) if path.ends_with("/backup") => (uploads.fetch_add(1, Ordering::Relaxed) >= 7).then(Vec::new),
        _ => None,
    });
    let report = fleet(&server, &plan()).await;
    let answers = vec![(None, 7), (Some(200), 7)];
    assert_eq!(summary(&report, Phase::Upload), (14, 7, answers));
    assert_eq!(summary(&report, Phase::Verify), (7, 0, vec![(Some(200), 7)]));
}

#[tokio::test]
async fn a_backup_that_comes_back_different_is_a_failure() {
    let first = Mutex::new(None);
    let server = cloud(move |request| {
        let mut first = first.lock().unwrap();
        match (request.route(), &*first) {
            (("POST", path), None) if path.ends_with("/backup") => {
                *first = Some(request.body.clone());
                None
            }
            (("GET", _), Some(envelope)) => Some(answer(200, &[], envelope)),
            _ => None,
        }
    });
    let plan = Plan { uploads: 1, ..plan() };
    let report = fleet(&server, &plan).await;
    assert_eq!(summary(&report, Phase::Verify), (7, 6, vec![(Some(200), 7)]));
}

#[tokio::test]
async fn an_older_backup_than_the_acknowledged_one_is_a_failure() {
    let uploads = AtomicUsize::new(0);
    let server = cloud(move |request| match request.route() {
        // The last round is acknowledged and forgotten.
        ("POST", path) if path.ends_with("/backup") => {
            (uploads.fetch_add(1, Ordering::Relaxed) >= 7).then(|| answer(200, &[], b"{}"))
        }
        _ => None,
    });
    let report = fleet(&server, &plan()).await;
    assert_eq!(summary(&report, Phase::Verify), (7, 7, vec![(Some(200), 7)]));
}

#[tokio::test]
async fn no_more_connections_are_open_than_allowed() {
    static OPEN: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let server = cloud(|_| {
        MOST.fetch_max(OPEN.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::yield_now();
        OPEN.fetch_sub(1, Ordering::SeqCst);
        None
    });
    fleet(&server, &Plan { devices: 50, ..plan() }).await;
    assert!((1..=3).contains(&MOST.load(Ordering::SeqCst)));
}

#[tokio::test]
async fn a_body_too_large_to_seal_fails_without_a_request() {
    let server = cloud(|_| None);
    let plan = Plan { devices: 1, size: 524_289, uploads: 1, ..plan() };
    let report = fleet(&server, &plan).await;
    assert_eq!(summary(&report, Phase::Upload), (1, 1, vec![(None, 1)]));
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn percentiles_are_latencies_that_occurred_in_order() {
    let server = cloud(|_| None);
    let report = fleet(&server, &plan()).await;
    let [least, half, most] = report.phases[&Phase::Upload].percentiles([0, 50, 100]);
    assert!(least <= half && half <= most);
    assert!(least > std::time::Duration::ZERO);
}

/// A cloud that is too busy for the first request to each route, which it answers with this status.
fn busy_cloud(status: u16) -> Server {
    let seen = Mutex::new(HashSet::new());
    cloud(move |request| {
        let is_first = seen.lock().unwrap().insert(request.route().1.to_owned());
        is_first.then(|| answer(status, &[("Retry-After", "0")], br#"{"message":"busy"}"#))
    })
}

#[tokio::test]
async fn a_busy_cloud_is_asked_again_for_keys_and_registrations_but_not_for_uploads() {
    for status in [429, 503] {
        let server = busy_cloud(status);
        let report = fleet(&server, &Plan { devices: 1, uploads: 1, verify: false, ..plan() }).await;
        let both = |success| vec![(Some(success), 1), (Some(status), 1)];
        assert_eq!(summary(&report, Phase::Mint), (2, 0, both(201)));
        assert_eq!(summary(&report, Phase::Register), (2, 0, both(204)));
        assert_eq!(summary(&report, Phase::Upload), (1, 1, vec![(Some(status), 1)]));
        assert_eq!(report.failed(), 1);
    }
}

#[tokio::test]
async fn a_record_has_a_line_for_each_request_with_its_times_and_its_status() {
    let server = busy_cloud(429);
    let report = fleet(&server, &Plan { devices: 1, uploads: 2, ..plan() }).await;
    let record = report.record();
    let lines: Vec<Vec<_>> = record.lines().map(|line| line.split(' ').collect()).collect();
    let requests: Vec<_> = lines.iter().map(|line| (line[0], line[3])).collect();
    let expected = [
        ("mint", "429"),
        ("mint", "201"),
        ("register", "429"),
        ("register", "204"),
        ("upload", "429"),
        ("upload", "200"),
        ("verify", "200"),
    ];
    assert_eq!(requests, expected);
    let times: Vec<(u64, u64)> =
        lines.iter().map(|line| (line[1].parse().unwrap(), line[2].parse().unwrap())).collect();
    // One connection at a time: no request begins before the one in front of it has ended.
    assert!(times.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0 + 1), "{record}");

    let report = fleet(&cloud(|_| Some(Vec::new())), &Plan { devices: 1, ..plan() }).await;
    assert!(report.record().starts_with("mint ") && report.record().ends_with(" 0\n"), "{}", report.record());
}
