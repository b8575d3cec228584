//! Changes of stacks. A change set plans a change, the plan is judged, then it is executed.

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    ChangeAction, ChangeSetStatus, ChangeSetType, EventFilter, ExecutionStatus, Parameter, Replacement,
    ResourceToImport, StackStatus, Tag,
};

use super::StackError;
use crate::account::{Account, CHANGE_SET_PREFIX, Poll};
use crate::aws_error::{AwsError, one_line};
use crate::deployed_stack::is_absent;

/// A change set in a stack's list.
#[derive(Debug, Clone)]
pub(crate) struct ChangeSet {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: ChangeSetStatus,
    pub(crate) execution: ExecutionStatus,
}

impl ChangeSet {
    /// Returns whether this program made the change set, in this run or an earlier one.
    pub(crate) fn is_own(&self) -> bool {
        self.name.starts_with(CHANGE_SET_PREFIX)
    }

    /// Returns whether CloudFormation is working on the change set.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(
            self.status,
            ChangeSetStatus::CreatePending
                | ChangeSetStatus::CreateInProgress
                | ChangeSetStatus::DeletePending
                | ChangeSetStatus::DeleteInProgress
        ) || self.execution == ExecutionStatus::ExecuteInProgress
    }
}

/// A change to be made.
pub(crate) struct Change<'a> {
    pub(crate) stack: &'a str,
    pub(crate) template: String,
    pub(crate) parameters: &'a [(String, String)],
    /// The resource that holds data. A change that removes or replaces it is not made.
    pub(crate) data: &'a str,
    pub(crate) kind: ChangeKind,
}

/// The kind of a change.
pub(crate) enum ChangeKind {
    /// The change makes a stack.
    Create,
    /// The change makes a stack around a resource that exists.
    Import(ResourceToImport),
    /// The change updates a stack.
    Update,
}

impl ChangeKind {
    fn change_set_type(&self) -> ChangeSetType {
        match self {
            Self::Create => ChangeSetType::Create,
            Self::Import(_) => ChangeSetType::Import,
            Self::Update => ChangeSetType::Update,
        }
    }

    fn wanted(&self) -> StackStatus {
        match self {
            Self::Create => StackStatus::CreateComplete,
            Self::Import(_) => StackStatus::ImportComplete,
            Self::Update => StackStatus::UpdateComplete,
        }
    }
}

impl Account {
    /// Returns the change sets of a stack.
    pub(crate) async fn change_sets(&self, stack: &str) -> Result<Vec<ChangeSet>, AwsError> {
        let mut pages = self.cloudformation.list_change_sets().stack_name(stack).into_paginator().send();
        let mut change_sets = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if is_absent(&error) => break,
                Err(error) => return Err(AwsError::call("cloudformation:ListChangeSets", error)),
            };
            for summary in page.summaries.unwrap_or_default() {
                if let Some((id, name)) = summary.change_set_id.zip(summary.change_set_name) {
                    change_sets.push(ChangeSet {
                        id,
                        name,
                        status: summary.status.unwrap_or_else(|| "unknown".into()),
                        execution: summary.execution_status.unwrap_or_else(|| "unknown".into()),
                    });
                }
            }
        }
        Ok(change_sets)
    }

    /// Deletes the change sets that earlier runs have left. They are never executed.
    pub(crate) async fn delete_own_change_sets(&self, stack: &str) -> Result<(), AwsError> {
        let settled = self
            .wait(&format!("{stack}: left-over change set"), async || {
                let own: Vec<_> = self.change_sets(stack).await?.into_iter().filter(ChangeSet::is_own).collect();
                Ok::<_, AwsError>(match own.iter().find(|change_set| change_set.is_busy()) {
                    Some(busy) => Poll::Pending(busy.status.to_string()),
                    None => Poll::Ready(own),
                })
            })
            .await?;
        // A change set that was executed cannot be deleted.
        for change_set in settled.iter().filter(|change_set| change_set.execution != ExecutionStatus::ExecuteComplete) {
            self.progress(&format!("{stack}: deleting the left-over change set {}", change_set.name));
            self.delete_change_set(stack, &change_set.id).await?;
        }
        Ok(())
    }

    async fn delete_change_set(&self, stack: &str, id: &str) -> Result<(), AwsError> {
        let deleted = self.cloudformation.delete_change_set().stack_name(stack).change_set_name(id).send().await;
        deleted.map(|_| ()).map_err(|error| AwsError::call("cloudformation:DeleteChangeSet", error))
    }

    /// Makes a change and waits for its end. Returns false if there was nothing to change.
    pub(crate) async fn change(&self, change: Change<'_>) -> Result<bool, StackError> {
        const CREATE: &str = "cloudformation:CreateChangeSet";
        let stack = change.stack;
        if matches!(change.kind, ChangeKind::Update) {
            self.delete_own_change_sets(stack).await?;
        }
        let parameters = change
            .parameters
            .iter()
            .map(|(name, value)| Parameter::builder().parameter_key(name).parameter_value(value).build());
        let imports = match &change.kind {
            ChangeKind::Import(resource) => Some(vec![resource.clone()]),
            _ => None,
        };
        let created = self
            .cloudformation
            .create_change_set()
            .stack_name(stack)
            .change_set_name(self.change_set_name())
            .change_set_type(change.kind.change_set_type())
            .template_body(change.template)
            .tags(Tag::builder().key("Application").value("firefly").build())
            .set_parameters(Some(parameters.collect()))
            .set_resources_to_import(imports)
            .set_role_arn(self.role_arn.clone())
            .send()
            .await
            .map_err(|error| AwsError::call(CREATE, error))?;
        let id = created.id.ok_or_else(|| AwsError::incomplete(CREATE, "Id"))?;
        let stack_id = created.stack_id.ok_or_else(|| AwsError::incomplete(CREATE, "StackId"))?;
        let described = self.planned(stack, &id).await?;
        if described.status == Some(ChangeSetStatus::Failed) {
            let reason = one_line(described.status_reason().unwrap_or("no reason given"));
            if matches!(change.kind, ChangeKind::Update) && is_empty(&reason) {
                self.delete_change_set(stack, &id).await?;
                self.progress(&format!("{stack}: no changes"));
                return Ok(false);
            }
            // If the validation cannot be read, the status reason must do.
            let errors = self.validation_errors(&id).await.unwrap_or_else(|error| vec![error.to_string()]);
            let reasons = errors.into_iter().fold(reason, |all, one| all + "; " + &one);
            self.delete_change_set(stack, &id).await?;
            return Err(StackError::ChangeRefused { stack: stack.to_owned(), reasons });
        }
        if let Some(action) = loss(&described, change.data) {
            self.delete_change_set(stack, &id).await?;
            return Err(StackError::LosesData { stack: stack.to_owned(), action, resource: change.data.to_owned() });
        }
        let executed = self.cloudformation.execute_change_set().stack_name(stack).change_set_name(&id).send().await;
        executed.map_err(|error| AwsError::call("cloudformation:ExecuteChangeSet", error))?;
        self.finish(&stack_id, &change.kind.wanted()).await?;
        Ok(true)
    }

    /// Waits until a change set is ready or has failed, and describes it.
    async fn planned(&self, stack: &str, id: &str) -> Result<DescribeChangeSetOutput, AwsError> {
        self.wait(&format!("{stack}: change set"), async || {
            let described =
                self.cloudformation.describe_change_set().stack_name(stack).change_set_name(id).send().await;
            let described = described.map_err(|error| AwsError::call("cloudformation:DescribeChangeSet", error))?;
            Ok(match described.status() {
                Some(ChangeSetStatus::CreateComplete | ChangeSetStatus::Failed) => Poll::Ready(described),
                Some(status) => Poll::Pending(status.to_string()),
                None => Poll::Pending("unknown".to_owned()),
            })
        })
        .await
    }

    /// Returns the faults that CloudFormation's validation before deployment found in a change set.
    async fn validation_errors(&self, id: &str) -> Result<Vec<String>, AwsError> {
        let failed = EventFilter::builder().failed_events(true).build();
        let request = self.cloudformation.describe_events().change_set_name(id).filters(failed);
        let mut pages = request.into_paginator().send();
        let mut errors = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::call("cloudformation:DescribeEvents", error))?;
            for event in page.operation_events.unwrap_or_default() {
                let reason = event.validation_status_reason().or_else(|| event.resource_status_reason());
                if let Some(reason) = reason {
                    let resource = event.logical_resource_id().unwrap_or("the template");
                    errors.push(format!("{resource}: {}", one_line(reason)));
                }
            }
        }
        Ok(errors)
    }
}

/// Returns whether a change set has failed because there is nothing to change.
fn is_empty(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

/// Returns the action of a change set that would lose the resource with the data.
fn loss(described: &DescribeChangeSetOutput, data: &str) -> Option<&'static str> {
    let changes = described.changes().iter().filter_map(|change| change.resource_change());
    changes.filter(|change| change.logical_resource_id() == Some(data)).find_map(|change| {
        if change.action() == Some(&ChangeAction::Remove) {
            Some("remove")
        } else if change.replacement() == Some(&Replacement::True) {
            Some("replace")
        } else {
            None
        }
    })
}
