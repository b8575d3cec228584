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
/// [`ConfigError`] when the root certificates cannot be used.
pub fn client(aws: &Aws) -> Result<Client, ConfigError> {
    client_with_connections(aws, 0)
}

/// Like [`client`], but this many connections are opened ahead.
pub(crate) fn client_with_connections(aws: &Aws, connections: usize) -> Result<Client, ConfigError> {
    let service = aws.service(ENDPOINT)?;
    if connections > 0
        && let Some(url) = url(&service)
    {
        service.open_ahead(&url, connections);
    }
    let config = Builder::from(service.config()).interceptor(CallTimer).interceptor(UserAgent).interceptor(READS);
    Ok(Client::from_conf(config.build()))
}

/// The URL that a client calls. Without one its calls fail and say why.
fn url(service: &Service<'_>) -> Option<String> {
    let config = service.config();
    let params = Params::builder()
        .set_region(config.region().map(ToString::to_string))
        .set_endpoint(config.endpoint_url().map(str::to_owned))
        .build()
        .ok()?;
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).now_or_never()?.ok()?;
    Some(endpoint.url().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frankfurt;

    /// The URL in Frankfurt, with this value of [`ENDPOINT`].
    fn url_with(endpoint: &str) -> String {
        url(&frankfurt::aws(ENDPOINT, endpoint).service(ENDPOINT).unwrap()).unwrap()
    }

    #[test]
    fn the_url_is_that_of_the_region_unless_another_is_given() {
        assert_eq!(url_with(""), "https://dynamodb.eu-central-1.amazonaws.com");
        assert_eq!(url_with("http://127.0.0.1:1"), "http://127.0.0.1:1");
    }
}
