//! The client of DynamoDB.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use firefly_runtime::aws::{CallTimer, Repeatable, Service, UserAgent};
use firefly_runtime::{Aws, ConfigError};
use futures_util::FutureExt as _;

/// The variable that leads to another endpoint than AWS's.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";
/// The operations that change nothing.
const READS: Repeatable = Repeatable(&["BatchGetItem", "GetItem", "Query", "Scan"]);

/// A client, one for all tables of a function.
///
/// # Errors
///
/// [`ConfigError`] when endpoint or root certificates cannot be used.
pub fn client(aws: &Aws) -> Result<Client, ConfigError> {
    client_with_connections(aws, 0)
}

/// Like [`client`], but this many connections are opened ahead.
pub(crate) fn client_with_connections(aws: &Aws, connections: usize) -> Result<Client, ConfigError> {
    let service = aws.service(ENDPOINT)?;
    service.open_ahead(&url(&service)?, connections);
    let config = Builder::from(service.config()).interceptor(CallTimer).interceptor(UserAgent).interceptor(READS);
    Ok(Client::from_conf(config.build()))
}

/// The URL that a client calls.
fn url(service: &Service<'_>) -> Result<String, ConfigError> {
    let config = service.config();
    let params = Params::builder()
        .set_region(config.region().map(ToString::to_string))
        .set_endpoint(config.endpoint_url().map(str::to_owned))
        .set_use_fips(config.use_fips())
        .set_use_dual_stack(config.use_dual_stack())
        .build()
        .map_err(|error| unusable(&error))?;
    // The rules are computed, not asked for.
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).now_or_never();
    let endpoint = endpoint.ok_or_else(|| unusable(&"its endpoint is not known at once"))?;
    Ok(endpoint.map_err(|error| unusable(&error))?.url().to_owned())
}

fn unusable(cause: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::Endpoint { service: "DynamoDB", cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frankfurt;

    /// The URL in Frankfurt, with these variables.
    fn url_with(variables: &[(&str, &str)]) -> Result<String, ConfigError> {
        url(&frankfurt::aws(variables).service(ENDPOINT).unwrap())
    }

    #[test]
    fn the_url_is_that_of_the_region_unless_another_is_given() {
        const REGION: &str = "https://dynamodb.eu-central-1.amazonaws.com";
        const OWN: &str = "http://127.0.0.1:1";
        const OF_ALL: &str = "http://127.0.0.1:2";
        let (own, of_all) = ((ENDPOINT, OWN), ("AWS_ENDPOINT_URL", OF_ALL));
        let ignored = |value| ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", value);
        for (variables, expected) in [
            (&[][..], REGION),
            (&[(ENDPOINT, "")], REGION),
            (&[own], OWN),
            (&[of_all], OF_ALL),
            (&[own, of_all], OWN),
            (&[own, of_all, ignored("true")], REGION),
            (&[own, of_all, ignored("False")], OWN),
        ] {
            assert_eq!(url_with(variables).unwrap(), expected, "{variables:?}");
        }
    }

    #[test]
    fn fips_and_dual_stack_have_urls_of_their_own() {
        for (fips, dual_stack, expected) in [
            ("true", "", "https://dynamodb-fips.eu-central-1.amazonaws.com"),
            ("", "true", "https://dynamodb.eu-central-1.api.aws"),
            ("TRUE", "true", "https://dynamodb-fips.eu-central-1.api.aws"),
            ("false", "false", "https://dynamodb.eu-central-1.amazonaws.com"),
        ] {
            let variables = [("AWS_USE_FIPS_ENDPOINT", fips), ("AWS_USE_DUALSTACK_ENDPOINT", dual_stack)];
            assert_eq!(url_with(&variables).unwrap(), expected);
        }
    }

    #[test]
    fn another_endpoint_and_fips_or_dual_stack_exclude_each_other() {
        for (switch, name) in [("AWS_USE_FIPS_ENDPOINT", "FIPS"), ("AWS_USE_DUALSTACK_ENDPOINT", "Dualstack")] {
            let error = client(&frankfurt::aws(&[(switch, "true"), (ENDPOINT, "http://127.0.0.1:1")])).unwrap_err();
            let expected = format!(
                "DynamoDB cannot be called: Invalid Configuration: {name} and custom endpoint are not supported"
            );
            assert_eq!(error.to_string(), expected);
        }
    }
}
