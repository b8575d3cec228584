//! The client of S3.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use firefly_runtime::aws::{CallTimer, Service, UserAgent, timeouts};
use firefly_runtime::{Aws, ConfigError};
use futures_util::FutureExt as _;

/// The variable that leads to another endpoint than AWS's.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_S3";
/// Longest wait for one attempt of a call, which may carry a backup of 512 KiB.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(6);
/// Longest wait for a call, its retries included.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// A client; another endpoint than AWS's is addressed by path (`/bucket/key`).
///
/// # Errors
///
/// [`ConfigError`] when the root certificates cannot be used.
pub fn client(aws: &Aws) -> Result<Client, ConfigError> {
    Ok(of_service(&aws.service(ENDPOINT)?))
}

/// Like [`client`], but a connection to this bucket's host is opened ahead.
pub(crate) fn client_of_bucket(aws: &Aws, bucket: &str) -> Result<Client, ConfigError> {
    let service = aws.service(ENDPOINT)?;
    if let Some(url) = url(&service, bucket) {
        service.open_ahead(&url, 1);
    }
    Ok(of_service(&service))
}

fn of_service(service: &Service<'_>) -> Client {
    let config = Builder::from(service.config())
        .interceptor(CallTimer)
        .interceptor(UserAgent)
        .timeout_config(timeouts(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT))
        .force_path_style(by_path(service));
    Client::from_conf(config.build())
}

/// The URL that a client calls for this bucket. Without one its calls fail and say why.
fn url(service: &Service<'_>, bucket: &str) -> Option<String> {
    let config = service.config();
    let params = Params::builder()
        .set_region(config.region().map(ToString::to_string))
        .set_endpoint(config.endpoint_url().map(str::to_owned))
        .force_path_style(by_path(service))
        .bucket(bucket)
        .build()
        .ok()?;
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).now_or_never()?.ok()?;
    Some(endpoint.url().to_owned())
}

fn by_path(service: &Service<'_>) -> bool {
    service.config().endpoint_url().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frankfurt;

    /// The URL of a bucket in Frankfurt, with this value of [`ENDPOINT`].
    fn url_of(bucket: &str, endpoint: &str) -> String {
        url(&frankfurt::aws(ENDPOINT, endpoint).service(ENDPOINT).unwrap(), bucket).unwrap()
    }

    #[test]
    fn the_url_is_that_of_the_bucket_in_its_region() {
        assert_eq!(url_of("backups", ""), "https://backups.s3.eu-central-1.amazonaws.com");
    }

    #[test]
    fn a_bucket_whose_name_is_no_host_is_addressed_by_path() {
        assert_eq!(url_of("back.ups", ""), "https://s3.eu-central-1.amazonaws.com/back.ups");
        assert_eq!(url_of("backups", "http://127.0.0.1:1"), "http://127.0.0.1:1/backups");
    }
}
