//! A configuration for the clients' unit tests: the region Frankfurt, `eu-central-1`.

use firefly_runtime::{Aws, Environment};

/// Makes a configuration of the region, credentials and these variables.
pub(crate) fn aws(variables: &[(&str, &str)]) -> Aws {
    let fixed = [("AWS_REGION", "eu-central-1"), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    let variables = fixed.iter().chain(variables);
    Aws::new(&Environment::new(variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))).unwrap()
}
