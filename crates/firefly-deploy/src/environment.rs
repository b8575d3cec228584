//! The environment that an account holds. Names of stacks, tables and roles are fixed, so an account has room for one.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::StackStatus;

use crate::aws_error::AwsError;
use crate::deployed_stack::describe;
use crate::graph::stack_name;

/// The environment variable with the name of the environment that is to be worked on.
const VARIABLE: &str = "FIREFLY_ENVIRONMENT";
/// The stack whose output names the environment of its account and region.
const BOOTSTRAP: &str = "bootstrap";
/// The output with the name of the environment.
const OUTPUT: &str = "Environment";
/// The advice for an account without that output.
const ADVICE: &str = "check AWS_REGION, or deploy stacks/bootstrap.yaml again in that region with Environment=NAME, the \
                      one environment of this account";

/// The reason why an account cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no region, there are no credentials, or a call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The environment to be worked on is not named.
    #[error("{VARIABLE} is not set: set it to the name of the environment to work on, such as production")]
    NotNamed,
    /// The credentials may not read the bootstrap stack. A role that an older bootstrap stack made lacks the permission.
    #[error(
        "nothing says that {region} holds the environment {asked:?}, nothing was touched: the stack {stack} may not be \
         read ({message}): {ADVICE}"
    )]
    Denied {
        /// The region.
        region: String,
        /// The environment that was asked for.
        asked: String,
        /// The bootstrap stack.
        stack: String,
        /// AWS's message.
        message: String,
    },
    /// The bootstrap stack does not name an environment.
    #[error(
        "nothing says that {region} holds the environment {asked:?}, nothing was touched: the stack {stack} {cause}: \
         {ADVICE}"
    )]
    Unknown {
        /// The region.
        region: String,
        /// The environment that was asked for.
        asked: String,
        /// The bootstrap stack.
        stack: String,
        /// The fault of the stack.
        cause: &'static str,
    },
    /// The bootstrap stack is in a state in which its output may change or is absent.
    #[error(
        "nothing says that {region} holds the environment {asked:?}, nothing was touched: the stack {stack} is \
         {status}: run again once it is deployed with Environment=NAME, the one environment of this account"
    )]
    Unusable {
        /// The region.
        region: String,
        /// The environment that was asked for.
        asked: String,
        /// The bootstrap stack.
        stack: String,
        /// The state.
        status: StackStatus,
    },
    /// The account holds another environment.
    #[error(
        "this account holds the environment {held:?} in {region}, not {asked:?}, nothing was touched: a second \
         environment needs an account of its own"
    )]
    Another {
        /// The region.
        region: String,
        /// The environment that was asked for.
        asked: String,
        /// The environment that the account holds.
        held: String,
    },
}

/// The name of an environment that is to be worked on.
#[derive(Debug)]
pub struct EnvironmentName(String);

impl EnvironmentName {
    /// Reads the name from the variable `FIREFLY_ENVIRONMENT`.
    ///
    /// # Errors
    ///
    /// [`ConnectError::NotNamed`] if it is unset or empty.
    pub fn from_environment(environment: &BTreeMap<String, String>) -> Result<Self, ConnectError> {
        let name = environment.get(VARIABLE).filter(|name| !name.is_empty());
        name.map(|name| Self(name.clone())).ok_or(ConnectError::NotNamed)
    }
}

/// Succeeds only if the bootstrap stack of this account and region names the environment that was asked for.
pub(crate) async fn compare(client: &Client, region: &str, asked: &EnvironmentName) -> Result<(), ConnectError> {
    let (region, asked, stack) = (region.to_owned(), asked.0.clone(), stack_name(BOOTSTRAP));
    let found = match describe(client, &stack).await {
        Ok(Some(found)) => found,
        Ok(None) => return Err(ConnectError::Unknown { region, asked, stack, cause: "does not exist" }),
        Err(AwsError::Refused { code, message, .. }) if code.starts_with("AccessDenied") => {
            return Err(ConnectError::Denied { region, asked, stack, message });
        }
        Err(error) => return Err(error.into()),
    };
    if !found.has_usable_outputs() {
        return Err(ConnectError::Unusable { region, asked, stack, status: found.status });
    }
    match found.outputs.get(OUTPUT) {
        Some(held) if *held == asked => Ok(()),
        Some(held) => Err(ConnectError::Another { region, asked, held: held.clone() }),
        None => Err(ConnectError::Unknown { region, asked, stack, cause: "has no output Environment" }),
    }
}
