//! The state in which SAM can deploy a stack, reached from whatever state an earlier run has left.

use aws_sdk_cloudformation::types::StackStatus;

use crate::account::Account;
use crate::aws_error::AwsError;
use crate::deployed_stack::DeployedStack;
use crate::graph::Stack;
use crate::stacks::StackError;
use crate::user_pool::{self, PoolError};

/// The reason why SAM cannot deploy a stack.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The stack holds a user pool that cannot be deleted, or not without being asked.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The rollback of an update cannot be continued.
    #[error("{failure}: {way_out}")]
    Stuck {
        /// The failure.
        failure: StackError,
        /// The way out.
        way_out: String,
    },
}

/// Brings a stack that SAM is to deploy into a state in which SAM can do so.
///
/// A creation that failed or was interrupted is deleted, since CloudFormation takes no update of it. A failed rollback of
/// an update is continued. Everything else is left as it is.
///
/// # Errors
///
/// [`PrepareError`]. Its text says the way out.
pub async fn prepare(account: &Account, stack: &Stack) -> Result<(), PrepareError> {
    let Some(found) = account.settled_stack(&stack.stack_name()).await? else {
        return Ok(());
    };
    match &found.status {
        StackStatus::DeleteFailed => {
            user_pool::refuse_held(account, &found).await?;
            delete(account, &found).await
        }
        StackStatus::RollbackComplete | StackStatus::RollbackFailed | StackStatus::CreateFailed => {
            delete(account, &found).await
        }
        StackStatus::UpdateRollbackFailed => {
            account.progress(&format!("{}: continuing the rollback of the failed update", found.name));
            let continued = account.continue_rollback(&found).await;
            continued.map_err(|failure| PrepareError::Stuck { failure, way_out: way_out(stack) })
        }
        _ => Ok(()),
    }
}

async fn delete(account: &Account, found: &DeployedStack) -> Result<(), PrepareError> {
    account.progress(&format!("{}: deleting what is left of it, it is {}", found.name, found.status));
    match account.delete_stack(found, Vec::new()).await {
        Ok(()) => Ok(()),
        Err(failure) => Err(user_pool::explain(account, found, failure).await?.into()),
    }
}

/// Returns the way out of a rollback that fails again. A stack that others need cannot be deleted before them.
fn way_out(stack: &Stack) -> String {
    let name = stack.name;
    if stack.dependents().next().is_none() {
        format!("or, since {name} holds no data, run delete-{name} and then deploy-{name}")
    } else {
        format!(
            "or continue the rollback of {name} in the console, skipping the resources that fail, and deploy it again"
        )
    }
}
