//! The time limits of an upload, against the timeout of its function.

use std::fs;
use std::path::Path;
use std::time::Duration;

use aws_smithy_types::timeout::TimeoutConfig;

use super::admission::{ADMISSION_TIMEOUT, READ_TIMEOUT};
use crate::backups::HEAD_TIMEOUT;
use crate::{dynamodb, frankfurt, s3};

/// The time before the timeout at which a function answers, and the time that it waits for its configuration.
const OF_THE_RUNTIME: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(300)];

/// The longest time of a client's call, its retries included. There is one, or a call could take for ever.
fn operation(timeouts: Option<&TimeoutConfig>) -> Duration {
    timeouts.and_then(TimeoutConfig::operation_timeout).unwrap()
}

#[test]
fn the_limits_of_an_upload_add_up_to_less_than_its_functions_timeout() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lambdas/func-api-devices-backup-post/function.toml");
    let text = fs::read_to_string(file).unwrap();
    let timeout = text.lines().find_map(|line| line.strip_prefix("timeout = ")?.parse().ok());
    let timeout = Duration::from_secs(timeout.unwrap());
    let aws = frankfurt::aws(&[]);
    let object = operation(s3::client(&aws).unwrap().config().timeout_config());
    let date = operation(dynamodb::client(&aws).unwrap().config().timeout_config());
    let of_stores = [READ_TIMEOUT, ADMISSION_TIMEOUT, HEAD_TIMEOUT, object, date];
    let sum: Duration = of_stores.iter().chain(&OF_THE_RUNTIME).sum();
    assert!(sum < timeout, "{of_stores:?} and {OF_THE_RUNTIME:?} are {sum:?} of {timeout:?}");
}
