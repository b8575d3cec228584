//! The simulation against hand-made arrivals, and the figures of the documentation.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;
use std::time::Duration;

use firefly_capacity::{
    Compared, Counts, Day, Durations, FleetRoute, Limits, Prices, Record, RecordError, Report, Request, Stores,
    Throttle, simulate, towns,
};

/// Uploads at these milliseconds, each of which takes 100 ms.
fn uploads(arrivals: impl IntoIterator<Item = u64>) -> Vec<Request> {
    let upload = |at| Request {
        at: Duration::from_millis(at),
        route: FleetRoute::Upload,
        duration: Some(Duration::from_millis(100)),
    };
    arrivals.into_iter().map(upload).collect()
}

fn served(limits: &Limits, requests: &[Request]) -> Counts {
    simulate(1, requests, &Durations::recorded(requests), limits).total()
}

const NO_THROTTLE: Throttle = Throttle { rate: 1e9, burst: 1e9 };

#[test]
fn equal_arguments_give_equal_reports_and_another_seed_others() {
    let town = Day { controllers: 3_000, within: Duration::from_secs(1), days: 2 };
    let run =
        |arrivals, seed| simulate(seed, &town.requests(arrivals), &Durations::published(), &Limits::default_quotas());
    assert_eq!(run(1, 1), run(1, 1));
    assert_ne!(run(1, 1), run(1, 2));
    assert_ne!(run(1, 1), run(2, 1));
    assert_eq!(town.requests(1).len(), 9_000);
}

#[test]
fn the_order_of_the_slice_does_not_matter() {
    let limits = Limits::local(Throttle { rate: 5.0, burst: 2.0 }, 1);
    let requests = uploads([0, 20, 120, 130, 900]);
    let reversed: Vec<_> = requests.iter().rev().copied().collect();
    assert_eq!(served(&limits, &requests), served(&limits, &reversed));
}

#[test]
fn the_throttle_lets_its_burst_in_and_then_its_rate() {
    let limits = Limits::local(Throttle { rate: 10.0, burst: 3.0 }, 1_000);
    assert_eq!(served(&limits, &uploads([0; 8])), Counts { served: 3, throttled: 5, ..Counts::default() });
    let steady = uploads((0..50).map(|index| index * 100));
    assert_eq!(served(&limits, &steady).served, 50);
    let twice = uploads((0..100).map(|index| index * 50));
    assert_eq!(served(&limits, &twice), Counts { served: 52, throttled: 48, ..Counts::default() });
}

#[test]
fn an_invocation_beyond_the_concurrency_is_refused_until_one_has_ended() {
    let limits = Limits::local(NO_THROTTLE, 2);
    let counts = served(&limits, &uploads([0, 50, 60, 99, 100, 149, 150]));
    assert_eq!(counts, Counts { served: 4, over_concurrency: 3, ..Counts::default() });
}

#[test]
fn a_function_of_a_raised_account_still_scales_by_a_thousand_and_a_hundred_a_second() {
    let limits = Limits { throttle: NO_THROTTLE, stores: None, ..Limits::raised_quotas() };
    let town = uploads([0; 3_000]);
    let counts = served(&limits, &town);
    assert_eq!(counts, Counts { served: 1_000, over_scaling_rate: 2_000, ..Counts::default() });
    let second = uploads(std::iter::repeat_n(0, 1_000).chain([50; 10]));
    assert_eq!(served(&limits, &second).served, 1_005);
    let report = simulate(1, &uploads([0, 200, 400, 400_000]), &Durations::recorded(&town), &limits);
    assert_eq!((report.cold_starts, report.most_concurrent), (2, 1));
}

#[test]
fn a_function_waits_for_its_stores_and_then_gives_up() {
    let stores = Stores { write_units: 300.0, read_units: 1e9, puts: 1e9, gets: 1e9, patience: Duration::from_secs(1) };
    let limits = Limits { stores: Some(stores), ..Limits::local(NO_THROTTLE, 10_000) };
    // An upload takes three units: a hundred at once, a hundred within the second of patience.
    let counts = served(&limits, &uploads([0; 250]));
    assert_eq!(counts, Counts { served: 200, over_stores: 50, ..Counts::default() });
}

/// A million uploads that take the 48 ms of ARCHITECTURE.md.
#[test]
fn a_million_uploads_cost_what_the_page_says() {
    let upload = Request { duration: Some(Duration::from_millis(48)), ..uploads([0])[0] };
    let requests = vec![upload; 1_000];
    let report = simulate(1, &requests, &Durations::recorded(&requests), &Limits::local(NO_THROTTLE, 1_000));
    let cost = report.cost;
    let million = |dollars: f64| format!("{:.3}", dollars * 1_000.0);
    let parts = [cost.api, cost.lambda, cost.table, cost.bucket, cost.logs, cost.total()].map(million);
    assert_eq!(parts, ["1.000", "0.520", "2.125", "5.000", "0.675", "9.320"]);
    let page = page();
    let row = parts.map(|part| format!("${part}")).join(" | ");
    assert!(page.contains(&row), "docs/scale.md lacks {row}");
    assert!(page.contains(&format!("${} per million", Prices::US_EAST_1.write_units)));
}

fn page() -> String {
    file("docs/scale.md")
}

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

#[test]
fn the_template_the_warning_and_the_pages_have_the_default_throttle_and_its_durations() {
    let Throttle { rate, burst } = Limits::default_quotas().throttle;
    assert_eq!((rate, burst), (2_000.0, 500.0));
    let arithmetic = ["1,000 / 0.5 s = 2,000 requests a second", "1,000 − 2,000 × 0.25 s = 500 requests at once"];
    for (path, texts) in [
        ("stacks/api-gateway.yaml", &["    Default: 2000\n", "    Default: 500\n"][..]),
        (".ci/concurrency.py", &["\nWARM = 0.25\n"]),
        ("docs/scale.md", &arithmetic),
        ("README.md", &arithmetic),
        ("README.md", &["| `THROTTLING_RATE_LIMIT`, `THROTTLING_BURST_LIMIT` | 2000, 500 |"]),
    ] {
        for text in texts {
            assert!(file(path).contains(text), "{path} lacks {text:?}");
        }
    }
}

#[test]
fn the_page_has_the_figures_of_the_simulation() {
    let rows = towns();
    assert_eq!(rows.lines().count(), 6);
    assert!(page().contains(&rows), "docs/scale.md needs the rows that `firefly-capacity towns` prints:\n{rows}");
}

#[test]
fn a_town_within_ten_seconds_is_served_and_one_within_a_second_is_not() {
    let town = |seconds| {
        let town = Day { controllers: 10_000, within: Duration::from_secs(seconds), days: 1 };
        simulate(7, &town.requests(7), &Durations::published(), &Limits::default_quotas())
    };
    let uploads = |report: &Report| report.routes[&FleetRoute::Upload];
    assert_eq!(uploads(&town(10)).refused(), 0);
    assert!(uploads(&town(1)).refused() > 5_000);
}

const RUN: &str = "\
mint 0 1500 201
register 2000 2500 204
upload 1000000 4000 200
upload 1000100 300 503
upload 1000200 200 429
verify 2500000 4000 0
";

#[test]
fn a_record_is_read_with_the_durations_of_what_was_served() {
    let record: Record = RUN.parse().unwrap();
    assert_eq!((record.served, record.throttled, record.unavailable), (4, 1, 1));
    let routes: Vec<_> = record.requests.iter().map(|request| request.route).collect();
    let expected = [
        FleetRoute::KeyCreation,
        FleetRoute::Registration,
        FleetRoute::Upload,
        FleetRoute::Upload,
        FleetRoute::Upload,
        FleetRoute::Restore,
    ];
    assert_eq!(routes, expected);
    let durations: Vec<_> =
        record.requests.iter().map(|request| request.duration.map(|duration| duration.as_micros())).collect();
    assert_eq!(durations, [Some(1_500), Some(2_500), Some(4_000), None, None, Some(4_000)]);
    assert_eq!(record.requests[2].at, Duration::from_secs(1));
}

#[test]
fn a_line_that_is_not_a_request_is_named() {
    for line in [
        "",
        "upload",
        "upload 1 2",
        "upload 1 2 200 3",
        "upload 1  2 200",
        "upload -1 2 200",
        "upload 1 x 200",
        "upload 1 2 99999",
        "download 1 2 200",
    ] {
        let error = format!("upload 1 2 200\n{line}\n").parse::<Record>().unwrap_err();
        assert_eq!(error, RecordError { line: 2, text: line.to_owned() });
    }
    let text = RecordError { line: 2, text: "x".to_owned() }.to_string();
    assert_eq!(text, "line 2 of the record is not PHASE ARRIVAL DURATION STATUS: \"x\"");
}

#[test]
fn a_run_is_compared_with_its_simulation() {
    let record: Record = RUN.parse().unwrap();
    let same = record.compare(1, &Limits::local(Throttle { rate: 1.0, burst: 3.0 }, 1));
    // Two tokens are left for three uploads: the second meets the busy function, the third an empty bucket.
    let expected = Compared { served: (4, 4), refused: (2, 2), throttled: (1, 1), unavailable: (1, 1) };
    assert_eq!(same, expected);
    assert_eq!(same.difference(), 0.0);
    let other = record.compare(1, &Limits::local(NO_THROTTLE, 1_000));
    assert_eq!((other.served, other.refused), ((4, 6), (2, 0)));
    assert_eq!(other.difference(), 1.0);
}

/// Runs the binary; returns exit status, standard output and standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_firefly-capacity")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_line_simulates_compares_and_refuses() {
    let (status, output, error) = run(&["day", "--controllers", "50", "--throttle", "10,10", "--concurrency", "2"]);
    assert_eq!((status, error.as_str()), (Some(0), ""));
    for part in ["boot check", "upload", "throttled", "cold starts", "bucket $"] {
        assert!(output.contains(part), "{part} is not in {output}");
    }
    assert_eq!(run(&["towns"]).1, towns());

    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("run");
    std::fs::write(&file, RUN).unwrap();
    let file = file.to_str().unwrap();
    let (status, output, _) = run(&["replay", file, "--throttle", "1,3", "--concurrency", "1", "--within", "5"]);
    assert_eq!(status, Some(0));
    assert!(output.ends_with("served or refused differ by 0.0 %\n"), "{output}");
    let (status, output, error) = run(&["replay", file, "--throttle", "9,9", "--concurrency", "9", "--within", "5"]);
    assert_eq!((status, error.as_str()), (Some(1), "error: served or refused differ by more than 5 %\n"));
    assert!(output.contains("of them 429          1         0\n"), "{output}");

    for (arguments, expected) in [
        (&["replay", "absent", "--throttle", "1,3", "--concurrency", "1"][..], 1),
        (&["replay", "Cargo.toml", "--throttle", "1,3", "--concurrency", "1"], 1),
        (&["day", "--within", "-1"], 1),
        (&["day", "--within", "NaN"], 1),
        (&["day", "--controllers", "10000001"], 2),
        (&["day", "--controllers", "0"], 2),
        (&["day", "--throttle", "1"], 2),
        (&["day", "--quotas", "none"], 2),
        (&["replay", "run", "--throttle", "0,1", "--concurrency", "1"], 2),
        (&[], 2),
    ] {
        let (status, output, error) = run(arguments);
        assert_eq!((status, output.as_str()), (Some(expected), ""), "{arguments:?}: {error}");
        assert!(!error.is_empty() && (expected == 2 || error.matches('\n').count() == 1), "{arguments:?}: {error}");
    }
}
