//! The environment that an account holds. Names of stacks, tables and roles are fixed, so an account has room for one.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::StackStatus;

use crate::aws_error::AwsError;
use crate::deployed_stack::describe;
use crate::graph::{PERMISSIONS_BOUNDARY, stack_name};

/// The environment variable with the name of the environment that is to be worked on.
const VARIABLE: &str = "FIREFLY_ENVIRONMENT";
/// The stack whose output names the environment of its account and region.
const BOOTSTRAP: &str = "bootstrap";
/// The output with the name of the environment.
const OUTPUT: &str = "Environment";
/// The output with the version of the stack, and the oldest version that CI and functions can work with.
const VERSION: (&str, u32) = ("Version", 2);
/// The output with the name of the bucket that functions may use.
const BUCKET: &str = "BackupBucketName";
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
    /// The bootstrap stack lacks what this program and the functions need.
    #[error(
        "the stack {stack} in {region} is of version {found}, and this needs version {}, nothing was touched: an \
         administrator deploys stacks/bootstrap.yaml again (README, \"Updating bootstrap\")", VERSION.1
    )]
    Outdated {
        /// The region.
        region: String,
        /// The bootstrap stack.
        stack: String,
        /// The version; an old stack does not say it.
        found: String,
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

/// The outputs of the bootstrap stack that deployments need.
#[derive(Debug)]
pub(crate) struct Bootstrap {
    /// The ARN of the boundary of every function's role.
    pub(crate) boundary: String,
    /// The bucket of backups that functions may use.
    pub(crate) bucket: String,
}

/// Succeeds only if the bootstrap stack of this account and region names the environment that was asked for, and is new
/// enough.
pub(crate) async fn compare(client: &Client, region: &str, asked: &EnvironmentName) -> Result<Bootstrap, ConnectError> {
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
        Some(held) if *held == asked => {}
        Some(held) => return Err(ConnectError::Another { region, asked, held: held.clone() }),
        None => return Err(ConnectError::Unknown { region, asked, stack, cause: "has no output Environment" }),
    }
    let (output, needed) = VERSION;
    let version = found.outputs.get(output).map_or("1", String::as_str);
    match found.outputs.get(PERMISSIONS_BOUNDARY).zip(found.outputs.get(BUCKET)) {
        Some((boundary, bucket)) if version.parse().is_ok_and(|version: u32| version >= needed) => {
            Ok(Bootstrap { boundary: boundary.clone(), bucket: bucket.clone() })
        }
        _ => Err(ConnectError::Outdated { region, stack, found: version.to_owned() }),
    }
}
