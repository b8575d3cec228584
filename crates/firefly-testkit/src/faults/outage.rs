//! Outages of a store as the function sees them, and the answers that a client gets to them.

use firefly_device::Response;

use super::{Call, Fault, Faults, INTERNALS};
use crate::TestCloud;
use crate::answer::{assert_failure, json};

/// A way in which every call of a kind fails, the SDK's retries included.
#[derive(Clone, Debug)]
pub struct Outage {
    /// The outage's name in the message of a failed test.
    pub name: &'static str,
    /// The fate of each call.
    pub fault: Fault,
    /// The status with which a request that depends on the call is answered: 503 where trying again helps, else 500.
    pub status: u16,
    /// `true` if the engine has done the work.
    pub done: bool,
}

impl Outage {
    /// Each way in which DynamoDB may fail.
    pub fn of_dynamodb() -> Vec<Self> {
        let error = |name, status, http_status| Self::new(name, Fault::json_error(http_status, name), status);
        let mut outages = vec![
            error("InternalServerError", 503, 500),
            error("ThrottlingException", 503, 400),
            error("AccessDeniedException", 500, 400),
            Self::new("a success that is not JSON", Fault::bytes(200, INTERNALS), 503),
            Self::new("a refusal that is not JSON", Fault::bytes(403, INTERNALS), 500),
        ];
        outages.extend(Self::of_connections());
        outages
    }

    /// Further errors of DynamoDB, which differ from those only in their codes.
    pub fn further_of_dynamodb() -> Vec<Self> {
        let error = |name, status, http_status| Self::new(name, Fault::json_error(http_status, name), status);
        vec![
            error("ServiceUnavailable", 503, 503),
            error("ProvisionedThroughputExceededException", 503, 400),
            error("RequestLimitExceeded", 503, 400),
            error("ResourceNotFoundException", 500, 400),
            error("ValidationException", 500, 400),
            error("UnrecognizedClientException", 500, 400),
        ]
    }

    /// Each way in which S3 may fail.
    pub fn of_s3() -> Vec<Self> {
        let error = |name, status, http_status| Self::new(name, Fault::xml_error(http_status, name), status);
        let mut outages = vec![
            error("InternalError", 503, 500),
            error("SlowDown", 503, 503),
            error("AccessDenied", 500, 403),
            error("NoSuchBucket", 500, 404),
            Self::new("an absence that is not XML", Fault::bytes(404, INTERNALS), 500),
        ];
        outages.extend(Self::of_connections());
        outages
    }

    /// Further errors of S3, which differ from those only in their codes.
    pub fn further_of_s3() -> Vec<Self> {
        let error = |name, status, http_status| Self::new(name, Fault::xml_error(http_status, name), status);
        vec![
            error("ServiceUnavailable", 503, 503),
            error("OperationAborted", 503, 409),
            error("RequestTimeout", 503, 400),
            error("InvalidAccessKeyId", 500, 403),
            Self::new("a refusal that is not XML", Fault::bytes(403, INTERNALS), 500),
        ]
    }

    fn of_connections() -> [Self; 3] {
        [
            Self::new("an error of a proxy", Fault::bytes(502, "<html>"), 503),
            Self::new("no connection", Fault::DropCall, 503),
            Self { done: true, ..Self::new("a lost answer", Fault::DropAnswer, 503) },
        ]
    }

    fn new(name: &'static str, fault: Fault, status: u16) -> Self {
        Self { name, fault, status, done: false }
    }

    /// Runs `check` for each outage of these calls, at the same time, each in a cloud of its own over the same engines.
    pub async fn each(engines: &TestCloud, call: Call, outages: Vec<Self>, check: impl AsyncFn(&Broken)) {
        let run = async |outage: Self| {
            let (cloud, faults) = Faults::over(engines).await;
            faults.every(call, outage.fault.clone());
            let broken = Broken { case: format!("{call:?}: {}", outage.name), cloud, faults, outage };
            check(&broken).await;
            assert!(broken.faults.count(call) > 0, "{}: it was never called", broken.case);
        };
        futures::future::join_all(outages.into_iter().map(run)).await;
    }
}

/// A cloud that an outage has befallen.
pub struct Broken {
    /// The call and the way in which it fails, for messages.
    pub case: String,
    /// The cloud.
    pub cloud: TestCloud,
    /// The faults that the cloud's calls meet.
    pub faults: Faults,
    /// The way in which the calls fail.
    pub outage: Outage,
}

impl Broken {
    /// Asserts that this is the answer to a request that depends on the call.
    #[track_caller]
    pub fn assert_told(&self, answer: &Response) {
        assert_outage(&self.case, answer, self.outage.status);
    }
}

/// Asserts that this is the answer to a request that a store has failed: one of two bodies, which name nothing.
#[track_caller]
pub fn assert_outage(case: &str, answer: &Response, status: u16) {
    let (code, message) = match status {
        503 => ("unavailable", "Service unavailable, try again"),
        _ => ("internal", "Internal server error"),
    };
    assert_failure(case, answer, status, code);
    assert_eq!(json(answer), serde_json::json!({ "message": message, "code": code }), "{case}");
    let headers = answer.headers.iter().map(|(name, _)| name.as_str());
    let expected = ["content-type", "retry-after", "apigw-requestid", "content-length", "date"];
    let unexpected: Vec<_> = headers.filter(|name| !expected.contains(name)).collect();
    assert!(unexpected.is_empty(), "{case}: {unexpected:?}");
}
