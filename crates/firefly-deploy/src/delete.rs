//! The deletion of a stack, its left-overs and, unless it is kept, its table.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{ResourceStatus, StackStatus};
use firefly_templates::Document;

use crate::account::{Account, Poll};
use crate::aws_error::AwsError;
use crate::data::{DataError, Live, LiveTable, Target, holds_data};
use crate::deployed_stack::DeployedStack;
use crate::graph::Stack;
use crate::stacks::{StackError, StackResource};
use crate::user_pool::{self, PROTECTION, PoolError};

/// Texts of reasons that a conflict with another stack of the same API has. API Gateway's may reach the events as an
/// internal failure.
const CONFLICTS: [&str; 4] = ["ConflictException", "ResourceConflict", "concurrent", "Internal"];
/// The tries of a deletion that conflicts with another one.
const ATTEMPTS: u32 = 3;
/// The looks' time that is waited before each further try, times its number.
const LOOKS_BETWEEN: u32 = 4;

/// The reason why a stack was not deleted, or not completely.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An operation on the stack failed.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The user pool is protected, and the stack cannot be deployed to change that.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The table or bucket cannot be determined.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Other stacks need the stack.
    #[error("the stack {stack} is needed by {dependents}: delete them first")]
    Needed {
        /// The stack.
        stack: String,
        /// The stacks that need it, with their states.
        dependents: String,
    },
    /// The table may not be deleted.
    #[error(
        "DELETE_FAILED: the table {table} has deletion protection, nothing was touched: turn it off in the console or \
         with `aws dynamodb update-table --table-name {table} --no-deletion-protection-enabled` and run again, or keep \
         the table with --keep-data"
    )]
    TableProtected {
        /// The table.
        table: String,
    },
    /// The user pool may not be deleted.
    #[error(
        "DELETE_FAILED: the user pool of the stack {stack} has deletion protection, nothing was touched: deploy the \
         stack with USER_POOL_DELETION_PROTECTION=INACTIVE and run again"
    )]
    UserPoolProtected {
        /// The stack.
        stack: String,
    },
    /// The stack would delete a table or bucket that is to stay.
    #[error(
        "the stack {stack} would delete its {noun} {name}, nothing was touched: run `firefly-deploy data {workflow}` \
         first, which gives it DeletionPolicy Retain"
    )]
    TakesData {
        /// The stack.
        stack: String,
        /// The word `table` or `bucket`.
        noun: &'static str,
        /// The name of the table or bucket.
        name: String,
        /// The stack's workflow.
        workflow: &'static str,
    },
    /// The table belongs to another stack.
    #[error("the table {table} belongs to the stack {owner}: delete that stack instead, nothing was touched")]
    Owned {
        /// The table.
        table: String,
        /// The stack.
        owner: String,
    },
    /// The table is in a state in which it cannot be deleted.
    #[error("the table {table} is {state}, nothing was touched: run again when it is ACTIVE")]
    Unusable {
        /// The table.
        table: String,
        /// The state.
        state: String,
    },
}

/// Deletes a stack, its left-over log group and, unless `keep_data`, its table. A bucket always stays.
///
/// An absent stack, log group or table is not an error: a delete that was interrupted goes on when it is run again.
///
/// # Errors
///
/// [`DeleteError`]. Every refusal comes before the first change.
pub async fn delete(
    account: &Account,
    stack: &'static Stack,
    environment: &BTreeMap<String, String>,
    keep_data: bool,
) -> Result<(), DeleteError> {
    refuse_while_needed(account, stack).await?;
    let name = stack.stack_name();
    let deployed = account.settled_stack(&name).await?;
    if deployed.as_ref().is_some_and(is_protected_by_parameter) {
        return Err(DeleteError::UserPoolProtected { stack: name });
    }
    let target = if holds_data(stack) { Some(Target::new(account, stack, environment).await?) } else { None };
    let doomed = match &target {
        Some(target) if !keep_data => doomed_table(account, target).await?,
        _ => None,
    };
    match &deployed {
        None => account.progress(&format!("{name}: does not exist")),
        Some(deployed) => {
            let retain = match &target {
                Some(target) => retained(account, target, deployed, doomed.is_some()).await?,
                None => Vec::new(),
            };
            account.progress(&format!("{name}: deleting, it is {}", deployed.status));
            delete_stack(account, deployed, retain).await?;
        }
    }
    delete_left_over_log_group(account, stack).await?;
    if let Some(table) = doomed {
        delete_table(account, table).await?;
    } else if let Some(target) = target {
        account.progress(&format!("{name}: the {} {} stays as it is", target.kind.noun(), target.resource));
    }
    Ok(())
}

/// Returns whether a deployment with another parameter lifts the protection of the stack's user pool.
///
/// A stack whose creation or deletion has failed takes no deployment, and its parameter says nothing of the pool any more.
fn is_protected_by_parameter(stack: &DeployedStack) -> bool {
    let (parameter, protected) = PROTECTION;
    let ended = matches!(
        stack.status,
        StackStatus::RollbackComplete
            | StackStatus::RollbackFailed
            | StackStatus::CreateFailed
            | StackStatus::DeleteFailed
    );
    !ended && stack.parameters.get(parameter).is_some_and(|value| value == protected)
}

/// Deletes a stack, and tries again after a conflict with another one.
async fn delete_stack(account: &Account, stack: &DeployedStack, retain: Vec<String>) -> Result<(), DeleteError> {
    for attempt in 1.. {
        let failure = match account.delete_stack(stack, retain.clone()).await {
            Ok(()) => break,
            Err(failure) => failure,
        };
        let conflict = matches!(&failure, StackError::Failed { reasons, .. } if is_conflict(reasons));
        if !conflict || attempt == ATTEMPTS {
            return Err(match user_pool::explain(account, stack, failure).await? {
                PoolError::Stack(failure) => failure.into(),
                explained => explained.into(),
            });
        }
        account.progress(&format!("{}: a conflict with another stack; trying again", stack.name));
        account.pause(attempt * LOOKS_BETWEEN).await;
    }
    Ok(())
}

fn is_conflict(reasons: &str) -> bool {
    CONFLICTS.iter().any(|conflict| reasons.contains(conflict))
}

async fn refuse_while_needed(account: &Account, stack: &Stack) -> Result<(), DeleteError> {
    let mut needing = Vec::new();
    for (dependent, _) in stack.dependents() {
        if let Some(found) = account.stack(&dependent.stack_name()).await? {
            needing.push(format!("{} ({})", found.name, found.status));
        }
    }
    if needing.is_empty() {
        return Ok(());
    }
    Err(DeleteError::Needed { stack: stack.stack_name(), dependents: needing.join(", ") })
}

/// Returns the table that is to be deleted after its stack; `None` if it is gone, and for a bucket.
async fn doomed_table<'a>(account: &Account, target: &'a Target) -> Result<Option<&'a str>, DeleteError> {
    let table = target.resource.as_str();
    if !matches!(account.live(target).await?, Live::Table(_)) {
        return Ok(None);
    }
    if let Some(owner) = account.owner(table).await?.filter(|owner| *owner != target.name) {
        return Err(DeleteError::Owned { table: table.to_owned(), owner });
    }
    match settled_table(account, table).await? {
        LiveTable::Active(properties) if properties.is_protected() => {
            Err(DeleteError::TableProtected { table: table.to_owned() })
        }
        LiveTable::Active(_) => Ok(Some(table)),
        LiveTable::Absent => Ok(None),
        LiveTable::Settling(state) | LiveTable::Unusable(state) => {
            Err(DeleteError::Unusable { table: table.to_owned(), state })
        }
    }
}

async fn settled_table(account: &Account, table: &str) -> Result<LiveTable, AwsError> {
    account
        .wait(table, async || {
            Ok(match account.table(table).await? {
                LiveTable::Settling(state) => Poll::Pending(state),
                live => Poll::Ready(live),
            })
        })
        .await
}

/// Returns the logical ids that a deletion must be told to retain. A doomed table may be deleted with its stack.
async fn retained(
    account: &Account,
    target: &Target,
    deployed: &DeployedStack,
    doomed: bool,
) -> Result<Vec<String>, DeleteError> {
    let resources = account.stack_resources(deployed).await?;
    let held = resources.into_iter().filter(StackResource::is_held).find(|held| held.logical_id == target.logical_id);
    let Some(held) = held else {
        return Ok(Vec::new());
    };
    if deployed.status == StackStatus::DeleteFailed && held.status == ResourceStatus::DeleteFailed {
        return Ok(vec![held.logical_id]);
    }
    if doomed || account.retains(deployed, &target.logical_id).await? {
        return Ok(Vec::new());
    }
    Err(DeleteError::TakesData {
        stack: target.name.clone(),
        noun: target.kind.noun(),
        name: held.physical_id,
        workflow: target.stack.name,
    })
}

async fn delete_left_over_log_group(account: &Account, stack: &Stack) -> Result<(), DeleteError> {
    let template = Document::parse(stack.template).map_err(|error| DataError::template(stack, &error))?;
    if let Some(group) = template.log_group()
        && account.has_log_group(group).await?
    {
        account.progress(&format!("{}: deleting the left-over log group {group}", stack.stack_name()));
        account.delete_log_group(group).await?;
    }
    Ok(())
}

/// Deletes a table if it still exists. Point-in-time recovery leaves a system backup for 35 days.
async fn delete_table(account: &Account, table: &str) -> Result<(), DeleteError> {
    if let LiveTable::Absent = settled_table(account, table).await? {
        return Ok(());
    }
    account.progress(&format!("{table}: deleting the table"));
    match account.dynamodb.delete_table().table_name(table).send().await {
        Ok(_) => {}
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {}
        Err(error) => return Err(AwsError::call("dynamodb:DeleteTable", error).into()),
    }
    settled_table(account, table).await?;
    account.progress(&format!("{table}: deleted"));
    Ok(())
}
