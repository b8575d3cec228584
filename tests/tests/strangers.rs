//! A stranger's requests in log and metrics.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use firefly_runtime::Metrics;
use firefly_runtime::log::{self, LogLevel};
use firefly_testkit::{Invoked, TestCloud, new_device};
use serde_json::Value;

/// Text that somebody writes.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn take(&self) -> Vec<Value> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        // docs/logs.md counts with at most 700 bytes of each.
        assert!(text.lines().all(|line| line.len() <= 700), "{text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The sum of a metric over lines.
fn sum(lines: &[Value], metric: &str) -> u64 {
    lines.iter().filter_map(|line| line[metric].as_u64()).sum()
}

/// Of 1,000 requests in one minute 29 are written, which count all but those that wait for the next line.
#[tokio::test(flavor = "multi_thread")]
async fn requests_of_unknown_devices_are_sampled_and_all_counted() {
    let (logs, metrics) = (Written::default(), Written::default());
    let writer = logs.clone();
    tracing::subscriber::set_global_default(log::subscriber(move || writer.clone(), LogLevel::WARN)).unwrap();
    let cloud = TestCloud::start().await;
    let name = "func-api-devices-backup-get";
    let function = Invoked::start(name, &Invoked::environment(&cloud, name, &[]), Metrics::new(metrics.clone()));
    let ask = async |requests: usize| {
        for _ in 0..requests {
            let event = function.event().signed(&cloud.sign(&new_device()));
            assert_eq!(function.answer(cloud.now(), &event).await.status, 401);
        }
    };
    ask(1_000).await;
    let (logged, measured) = (logs.take(), metrics.take());
    assert_eq!((logged.len(), measured.len()), (29, 29));
    for metric in ["Requests", "Refused", "UnknownDevices"] {
        assert_eq!(sum(&measured, metric), 920, "{metric}");
    }
    assert_eq!(sum(&measured, "SignaturesRefused"), 0);
    assert!(logged[..20].iter().all(|line| line.get("times").is_none()));
    assert!(logged[20..].iter().all(|line| line["times"] == 100 && line["outcome"] == "unauthorized"));

    cloud.advance(60);
    ask(1).await;
    let (logged, measured) = (logs.take(), metrics.take());
    assert_eq!((logged[0]["times"].as_u64(), sum(&measured, "UnknownDevices")), (Some(81), 81));

    // A registered device's requests are each written.
    let device = cloud.registered_device().await;
    logs.take();
    for _ in 0..50 {
        let event = function.event().signed(&cloud.sign(&device));
        assert_eq!(function.answer(cloud.now(), &event).await.status, 404);
    }
    assert_eq!((logs.take().len(), metrics.take().len()), (50, 50));
}
