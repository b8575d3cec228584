//! The measured scenarios. The bench measures the functions that have one here; a new function has none until it gets a
//! line.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use emulator_kit::Credentials;
use firefly_core::envelope::{EnvelopeError, HEADER_LENGTH, MAX_LENGTH};
use firefly_core::etag::ETag;
use firefly_core::time::UnixSeconds;
use firefly_device::{Identity, etag, random_nonce};
use firefly_testkit::runtime_api::{Event, parse_payload, template};
use firefly_testkit::{Tls, new_device};

use crate::bootstrap::HELLO;
use crate::engine::Engine;
use crate::error::BenchError;

/// One kind of request to one function.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// The scenario's name in the table.
    pub(crate) name: &'static str,
    /// The binary.
    pub(crate) function: &'static str,
    request: Request,
    /// The status of the answer.
    status: u16,
}

#[derive(Clone, Copy)]
enum Request {
    /// The event as it was recorded.
    Recorded,
    /// The registration of a device that is not registered.
    Registration,
    /// The event, signed by the device.
    Signed,
    /// The event, signed by the device, about an envelope of so many bytes.
    Backup(usize),
}

const fn scenario(name: &'static str, function: &'static str, request: Request, status: u16) -> Scenario {
    Scenario { name, function, request, status }
}

/// The smallest envelope.
const EMPTY: usize = HEADER_LENGTH;
const SMALL: usize = 8 << 10;
/// The largest envelope.
const LARGE: usize = MAX_LENGTH;

/// Every scenario; the first is the floor.
pub(crate) const SCENARIOS: [Scenario; 14] = [
    scenario("hello", HELLO, Request::Recorded, 200),
    scenario("health", "func-api-health-get", Request::Recorded, 200),
    scenario("key creation", "func-api-registration-keys-post", Request::Recorded, 201),
    scenario("list of 5 keys", "func-api-registration-keys-get", Request::Recorded, 200),
    scenario("registration", "func-api-devices-register-post", Request::Registration, 204),
    scenario("boot check", "func-api-devices-registration-get", Request::Signed, 200),
    scenario("backup 37 B", "func-api-devices-backup-post", Request::Backup(EMPTY), 200),
    scenario("backup 8 KiB", "func-api-devices-backup-post", Request::Backup(SMALL), 200),
    scenario("backup 512 KiB", "func-api-devices-backup-post", Request::Backup(LARGE), 200),
    scenario("restore 37 B", "func-api-devices-backup-get", Request::Backup(EMPTY), 200),
    scenario("restore 8 KiB", "func-api-devices-backup-get", Request::Backup(SMALL), 200),
    scenario("restore 512 KiB", "func-api-devices-backup-get", Request::Backup(LARGE), 200),
    scenario("backup deletion", "func-api-devices-backup-delete", Request::Signed, 200),
    scenario("list of 500 devices", "func-api-devices-get", Request::Recorded, 200),
];

/// A scenario with its device and the engines that know it.
pub(crate) struct Stage {
    pub(crate) scenario: Scenario,
    pub(crate) engine: Engine,
    device: Identity,
    envelope: Vec<u8>,
    etag: ETag,
}

impl Stage {
    /// Makes a device and starts the engines.
    pub(crate) async fn set(scenario: Scenario, tls: Option<&Tls>) -> Result<Self, BenchError> {
        let device = new_device();
        let plaintext = match scenario.request {
            Request::Backup(length) => vec![0x5a; length - HEADER_LENGTH],
            Request::Recorded | Request::Registration | Request::Signed => Vec::new(),
        };
        let sealed = device.seal(&plaintext, &rand::random());
        let envelope = sealed.map_err(|error: EnvelopeError| scenario.problem(error.to_string()))?;
        let registered = !matches!(scenario.request, Request::Registration);
        let engine = Engine::start(tls, registered.then_some(&device), &envelope).await?;
        Ok(Self { scenario, engine, device, envelope, etag: etag(&plaintext) })
    }

    /// The variables that Lambda and the template set for the function.
    pub(crate) fn environment(&self, runtime_api: String) -> BTreeMap<String, String> {
        let mut environment: BTreeMap<_, _> = [
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", format!("firefly-{}", self.scenario.function)),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_LAMBDA_RUNTIME_API", runtime_api),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("TZ", ":UTC".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if self.scenario.function != HELLO {
            environment.extend(template(self.scenario.function).environment);
        }
        environment.extend(Credentials::generate().environment("bench"));
        environment.extend(self.engine.environment());
        environment
    }

    /// An event that was not sent before.
    pub(crate) fn event(&self) -> String {
        let recorded = match self.scenario.function {
            HELLO => "func-api-health-get",
            function => function,
        };
        let event = Event::recorded(recorded);
        let sign = |event: Event| event.signed(&self.device.sign(&random_nonce(&mut rand::rng()), now()));
        let event = match self.scenario.request {
            Request::Recorded => event,
            Request::Registration => event.registration(&self.device, "A1B2C3"),
            Request::Signed => sign(event),
            Request::Backup(_) if event.get("/body").is_none() => sign(event),
            Request::Backup(_) => sign(event).header("ETag", &self.etag.quoted()).body(&self.envelope),
        };
        event.to_string()
    }

    /// Checks that a reply is the answer of the route.
    pub(crate) fn check(&self, payload: &str) -> Result<(), BenchError> {
        let answer = parse_payload(payload);
        if answer.status == self.scenario.status {
            return Ok(());
        }
        Err(self.scenario.problem(format!("it answers {} {:?}", answer.status, answer.body)))
    }
}

impl Scenario {
    pub(crate) fn problem(&self, problem: impl Into<String>) -> BenchError {
        BenchError::Function { function: self.function.to_owned(), problem: problem.into() }
    }
}

fn now() -> UnixSeconds {
    UnixSeconds::new(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_but_the_floor_is_of_a_function() {
        for scenario in SCENARIOS.iter().filter(|scenario| scenario.function != HELLO) {
            assert_eq!(template(scenario.function).name, scenario.function);
        }
    }
}
