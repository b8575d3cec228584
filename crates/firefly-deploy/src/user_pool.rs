//! The user pool of a stack that is to be deleted. Its deletion protection outlives a failed creation of the stack.

use crate::account::Account;
use crate::aws_error::AwsError;
use crate::deployed_stack::DeployedStack;
use crate::stacks::{StackError, StackResource};

/// The parameter that protects a stack's user pool, and its value while it does.
pub(crate) const PROTECTION: (&str, &str) = ("UserPoolDeletionProtection", "ACTIVE");
/// The value of that parameter while the pool is not protected.
pub(crate) const UNPROTECTED: &str = "INACTIVE";
/// The logical id of the user pool.
const LOGICAL_ID: &str = "UserPool";

/// The reason why a stack that holds a user pool stays.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The deletion failed for a reason of its own.
    #[error(transparent)]
    Stack(StackError),
    /// The pool is protected, and the stack is in a state in which it cannot be deployed.
    #[error(
        "DELETE_FAILED: the user pool {pool} of the stack {stack} has deletion protection, and the stack cannot be \
         deployed to lift it: turn it off in the console or with `aws cognito-idp update-user-pool --user-pool-id {pool} \
         --deletion-protection INACTIVE`, which takes the pool and its users with the stack, and run again"
    )]
    Protected {
        /// The stack.
        stack: String,
        /// The pool's id.
        pool: String,
    },
    /// The deletion of the stack has begun and the pool, perhaps with its users, is still there.
    #[error(
        "the stack {stack} is DELETE_FAILED and still holds the user pool {pool}: run delete-cognito, which ends the \
         deletion with the pool and its users, then deploy it again"
    )]
    Held {
        /// The stack.
        stack: String,
        /// The pool's id.
        pool: String,
    },
}

/// Refuses a stack that still holds a user pool.
pub(crate) async fn refuse_held(account: &Account, stack: &DeployedStack) -> Result<(), PoolError> {
    match held(account, stack).await? {
        Some(pool) => Err(PoolError::Held { stack: stack.name.clone(), pool }),
        None => Ok(()),
    }
}

/// Returns the failure of a deletion with the way out, if the protection of the stack's user pool is the cause.
pub(crate) async fn explain(
    account: &Account,
    stack: &DeployedStack,
    failure: StackError,
) -> Result<PoolError, AwsError> {
    let of_protection =
        matches!(&failure, StackError::Failed { reasons, .. } if reasons.contains("eletion protection"));
    Ok(match held(account, stack).await? {
        Some(pool) if of_protection => PoolError::Protected { stack: stack.name.clone(), pool },
        _ => PoolError::Stack(failure),
    })
}

/// Returns the id of the user pool that a stack holds.
async fn held(account: &Account, stack: &DeployedStack) -> Result<Option<String>, AwsError> {
    let resources = account.stack_resources(stack).await?.into_iter();
    let pool = resources.filter(StackResource::is_held).find(|held| held.logical_id == LOGICAL_ID);
    Ok(pool.map(|pool| pool.physical_id).filter(|id| !id.is_empty()))
}
