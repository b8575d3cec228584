//! The deployment of stacks that hold data. An existing table or bucket is adopted and never replaced.

mod bucket;
mod difference;
mod error;
mod live;
mod plan;
mod read_back;
mod replaced;
mod table;
mod target;
mod templates;

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{ResourceToImport, StackStatus};

use crate::account::{Account, Poll};
use crate::graph::Stack;
use crate::stacks::change_set::{Change, ChangeKind};

pub use error::DataError;
pub(crate) use live::Live;
pub use plan::Refusal;
use plan::{Observed, Step};
pub(crate) use table::LiveTable;
pub(crate) use target::Target;

/// The most operations on a stack in one run: a recovery, an import, updates, and some to spare.
const MOST_STEPS: usize = 12;

/// Returns whether a stack holds a table or the bucket.
#[must_use]
pub fn holds_data(stack: &Stack) -> bool {
    target::kind(stack).is_some()
}

/// Describes the steps that [`deploy`] would take now, and changes nothing.
///
/// # Errors
///
/// [`DataError`], also if [`deploy`] would refuse.
pub async fn plan(
    account: &Account,
    stack: &'static Stack,
    environment: &BTreeMap<String, String>,
) -> Result<String, DataError> {
    let target = Target::new(account, stack, environment).await?;
    let observed = observe(account, &target).await?;
    Ok(plan::describe(&target, observed)?)
}

/// Creates, adopts or updates a table or bucket with its stack, in whatever state an earlier run has left them.
///
/// # Errors
///
/// [`DataError`]. The next run goes on from any state that is left.
pub async fn deploy(
    account: &Account,
    stack: &'static Stack,
    environment: &BTreeMap<String, String>,
) -> Result<(), DataError> {
    let target = Target::new(account, stack, environment).await?;
    for _ in 0..MOST_STEPS {
        let (observed, step) = account
            .wait(&target.name, async || {
                let observed = observe(account, &target).await?;
                Ok::<_, DataError>(match plan::next(&target, &observed)? {
                    Step::Wait(state) => Poll::Pending(state),
                    step => Poll::Ready((observed, step)),
                })
            })
            .await?;
        account.progress(&format!("{}: {}", target.name, plan::in_words(&target, &observed, &step)));
        match step {
            Step::Wait(_) => {}
            Step::DeleteShell(shell) => {
                account.delete_own_change_sets(&shell.name).await?;
                account.delete_stack(&shell, Vec::new()).await?;
            }
            Step::DeleteStack { stack, retain } => account.delete_stack(&stack, retain).await?,
            // A second failure ends the run.
            Step::ContinueRollback(stack) => account.continue_rollback(&stack).await?,
            Step::Report(stack) => return Err(account.failed(&stack).await?.into()),
            Step::Import => import(account, &target, &observed.live).await?,
            Step::Create => {
                change(account, &target, ChangeKind::Create, target.stack.template.to_owned()).await?;
                return read_back::check(account, &target, &[]).await;
            }
            Step::Update => return update(account, &target, &observed).await,
        }
    }
    Err(DataError::Restless { stack: target.name })
}

async fn import(account: &Account, target: &Target, live: &Live) -> Result<(), DataError> {
    let resource = ResourceToImport::builder()
        .resource_type(target.kind.resource_type())
        .logical_resource_id(&target.logical_id)
        .resource_identifier(target.kind.name_property(), &target.resource)
        .build();
    change(account, target, ChangeKind::Import(resource), target.import_template(live)?).await
}

async fn update(account: &Account, target: &Target, observed: &Observed) -> Result<(), DataError> {
    for template in target.update_templates(&observed.live, &observed.kept)? {
        change(account, target, ChangeKind::Update, template).await?;
        read_back::settled(account, target).await?;
    }
    for kept in &observed.kept {
        account.progress(&format!("{}: {kept}; then run `data {}` again", target.name, target.stack.name));
    }
    read_back::check(account, target, &observed.kept).await
}

async fn change(account: &Account, target: &Target, kind: ChangeKind, template: String) -> Result<(), DataError> {
    let change =
        Change { stack: &target.name, template, parameters: &target.parameters, data: &target.logical_id, kind };
    account.change(change).await?;
    Ok(())
}

async fn observe(account: &Account, target: &Target) -> Result<Observed, DataError> {
    let stack = account.stack(&target.name).await?;
    let mut observed = Observed { stack, ..Observed::default() };
    if observed.stack.as_ref().is_some_and(|stack| stack.is_busy()) {
        return Ok(observed);
    }
    if let Some(stack) = &observed.stack {
        if stack.status == StackStatus::ReviewInProgress {
            observed.change_sets = account.change_sets(&stack.name).await?;
        }
        observed.resources = account.stack_resources(stack).await?;
        // A stack that does not hold the resource cannot delete it with itself, so the template is not read.
        observed.retains = !observed.holds(&target.logical_id) || account.retains(stack, &target.logical_id).await?;
    }
    observed.owner = account.owner(&target.resource).await?;
    observed.live = account.live(target).await?;
    observed.kept = account.kept_indexes(target, &observed.live).await?;
    Ok(observed)
}
