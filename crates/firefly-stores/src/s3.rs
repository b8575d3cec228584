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
    service.open_ahead(&url(&service, bucket)?, 1);
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

/// The URL that a client calls for this bucket.
fn url(service: &Service<'_>, bucket: &str) -> Result<String, ConfigError> {
    let config = service.config();
    let params = Params::builder()
        .set_region(config.region().map(ToString::to_string))
        .set_endpoint(config.endpoint_url().map(str::to_owned))
        .set_use_fips(config.use_fips())
        .set_use_dual_stack(config.use_dual_stack())
        .force_path_style(by_path(service))
        .bucket(bucket)
        .build()
        .map_err(|error| unusable(&error))?;
    // The rules are computed, not asked for.
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).now_or_never();
    let endpoint = endpoint.ok_or_else(|| unusable(&"its endpoint is not known at once"))?;
    Ok(endpoint.map_err(|error| unusable(&error))?.url().to_owned())
}

fn unusable(cause: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::Endpoint { service: "S3", cause: cause.to_string() }
}

fn by_path(service: &Service<'_>) -> bool {
    service.config().endpoint_url().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frankfurt;

    /// The URL of a bucket in Frankfurt, with these variables.
    fn url_of(bucket: &str, variables: &[(&str, &str)]) -> Result<String, ConfigError> {
        url(&frankfurt::aws(variables).service(ENDPOINT).unwrap(), bucket)
    }

    #[test]
    fn the_url_is_that_of_the_bucket_in_its_region() {
        for (switches, expected) in [
            (&[][..], "https://backups.s3.eu-central-1.amazonaws.com"),
            (&["AWS_USE_FIPS_ENDPOINT"], "https://backups.s3-fips.eu-central-1.amazonaws.com"),
            (&["AWS_USE_DUALSTACK_ENDPOINT"], "https://backups.s3.dualstack.eu-central-1.amazonaws.com"),
            (
                &["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"],
                "https://backups.s3-fips.dualstack.eu-central-1.amazonaws.com",
            ),
        ] {
            let variables: Vec<_> = switches.iter().map(|switch| (*switch, "true")).collect();
            assert_eq!(url_of("backups", &variables).unwrap(), expected);
        }
    }

    #[test]
    fn a_bucket_whose_name_is_no_host_is_addressed_by_path() {
        assert_eq!(url_of("back.ups", &[]).unwrap(), "https://s3.eu-central-1.amazonaws.com/back.ups");
        for variable in [ENDPOINT, "AWS_ENDPOINT_URL"] {
            let url = url_of("backups", &[(variable, "http://127.0.0.1:1")]).unwrap();
            assert_eq!(url, "http://127.0.0.1:1/backups");
        }
    }

    #[test]
    fn another_endpoint_and_fips_or_dual_stack_exclude_each_other() {
        for switch in ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"] {
            let aws = frankfurt::aws(&[(switch, "true"), (ENDPOINT, "http://127.0.0.1:1")]);
            let error = client_of_bucket(&aws, "backups").unwrap_err().to_string();
            assert!(error.starts_with("S3 cannot be called: "), "{error}");
        }
    }
}
