//! A configuration for the clients' unit tests: the region Frankfurt, `eu-central-1`.

use firefly_runtime::{Aws, Environment};

/// Makes a configuration in which a variable names a client's endpoint. An empty value names AWS's own.
pub(crate) fn aws(variable: &str, endpoint: &str) -> Aws {
    let variables = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        (variable, endpoint),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Aws::new(&Environment::new(variables)).unwrap()
}
