//! Operations on stacks: descriptions, waits, deletions, and the reasons of failures.

pub(crate) mod change_set;

use aws_sdk_cloudformation::types::{ResourceStatus, StackStatus};
use firefly_templates::{Document, ParseError};

use crate::account::{Account, Poll};
use crate::aws_error::{AwsError, one_line};
use crate::deployed_stack::{DeployedStack, describe, is_absent};

/// The reason why an operation on a stack failed.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The template with which a stack was deployed cannot be read.
    #[error("the template of the stack {stack} cannot be read: not a template: {source}")]
    Template {
        /// The stack.
        stack: String,
        /// The fault of the template.
        source: ParseError,
    },
    /// CloudFormation could not plan a change.
    #[error("the change of the stack {stack} was refused: {reasons}; correct it and run again")]
    ChangeRefused {
        /// The stack.
        stack: String,
        /// CloudFormation's reasons.
        reasons: String,
    },
    /// A planned change would lose the table or bucket, and was not made.
    #[error(
        "the change of the stack {stack} was not made: CloudFormation would {action} {resource}, which holds data; \
         deploy a template that keeps it"
    )]
    LosesData {
        /// The stack.
        stack: String,
        /// The action on the resource.
        action: &'static str,
        /// The logical id of the table or bucket.
        resource: String,
    },
    /// An operation ended in a state of failure.
    #[error("the stack {stack} is {status}: {reasons}; correct the cause and run again")]
    Failed {
        /// The stack.
        stack: String,
        /// The state.
        status: StackStatus,
        /// The reasons in the stack's events.
        reasons: String,
    },
}

/// A resource in a stack's list.
#[derive(Debug, Clone)]
pub(crate) struct StackResource {
    pub(crate) logical_id: String,
    pub(crate) physical_id: String,
    pub(crate) status: ResourceStatus,
}

impl StackResource {
    /// Returns whether the stack still holds the resource.
    pub(crate) fn is_held(&self) -> bool {
        !matches!(self.status, ResourceStatus::DeleteComplete | ResourceStatus::DeleteSkipped)
    }
}

impl Account {
    /// Describes a stack by name or ARN; `None` if it does not exist or is deleted.
    pub(crate) async fn stack(&self, name: &str) -> Result<Option<DeployedStack>, AwsError> {
        describe(&self.cloudformation, name).await
    }

    /// Waits until CloudFormation does not work on a stack, and describes it.
    pub(crate) async fn settled_stack(&self, name: &str) -> Result<Option<DeployedStack>, AwsError> {
        self.wait(name, async || {
            Ok(match self.stack(name).await? {
                Some(stack) if stack.is_busy() => Poll::Pending(stack.status.to_string()),
                found => Poll::Ready(found),
            })
        })
        .await
    }

    /// Returns the resources that a stack lists.
    pub(crate) async fn stack_resources(&self, stack: &DeployedStack) -> Result<Vec<StackResource>, AwsError> {
        let mut pages = self.cloudformation.list_stack_resources().stack_name(&stack.id).into_paginator().send();
        let mut resources = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::call("cloudformation:ListStackResources", error))?;
            for summary in page.stack_resource_summaries.unwrap_or_default() {
                if let Some((logical_id, status)) = summary.logical_resource_id.zip(summary.resource_status) {
                    let physical_id = summary.physical_resource_id.unwrap_or_default();
                    resources.push(StackResource { logical_id, physical_id, status });
                }
            }
        }
        Ok(resources)
    }

    /// Returns the name of the stack that holds a resource.
    pub(crate) async fn owner(&self, physical_id: &str) -> Result<Option<String>, AwsError> {
        let describe = self.cloudformation.describe_stack_resources().physical_resource_id(physical_id);
        let resources = match describe.send().await {
            Ok(described) => described.stack_resources.unwrap_or_default(),
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(AwsError::call("cloudformation:DescribeStackResources", error)),
        };
        // The answer lists every resource of the owner's stack.
        let owned = resources.into_iter().find(|resource| {
            resource.physical_resource_id.as_deref() == Some(physical_id)
                && !matches!(
                    resource.resource_status,
                    Some(ResourceStatus::DeleteComplete | ResourceStatus::DeleteSkipped)
                )
        });
        Ok(owned.and_then(|resource| resource.stack_name))
    }

    /// Returns whether a resource outlives its stack, by the template with which that was deployed.
    pub(crate) async fn retains(&self, stack: &DeployedStack, logical_id: &str) -> Result<bool, StackError> {
        let template = Document::parse(&self.template_of(stack).await?);
        let template = template.map_err(|source| StackError::Template { stack: stack.name.clone(), source })?;
        Ok(template.retains(logical_id))
    }

    /// Returns the template with which a stack was deployed.
    pub(crate) async fn template_of(&self, stack: &DeployedStack) -> Result<String, AwsError> {
        let answer = self.cloudformation.get_template().stack_name(&stack.id).send().await;
        let answer = answer.map_err(|error| AwsError::call("cloudformation:GetTemplate", error))?;
        Ok(answer.template_body.unwrap_or_default())
    }

    /// Waits for an operation that has begun. Fails unless it ends in the wanted state.
    pub(crate) async fn finish(&self, id: &str, wanted: &StackStatus) -> Result<(), StackError> {
        let name = name_of(id);
        let stack = self
            .wait(name, async || {
                Ok::<_, AwsError>(match self.stack(id).await? {
                    Some(stack) if stack.is_busy() || stack.status == StackStatus::ReviewInProgress => {
                        Poll::Pending(stack.status.to_string())
                    }
                    found => Poll::Ready(found),
                })
            })
            .await?;
        match stack {
            Some(stack) if stack.status == *wanted => {
                self.progress(&format!("{name}: {wanted}"));
                Ok(())
            }
            Some(stack) => Err(self.failed(&stack).await?),
            None => Err(StackError::Failed {
                stack: name.to_owned(),
                status: StackStatus::DeleteComplete,
                reasons: "somebody has deleted it".to_owned(),
            }),
        }
    }

    /// Deletes a stack at rest.
    ///
    /// `retain` names resources that are to stay. CloudFormation takes only those that a failed deletion could not delete.
    pub(crate) async fn delete_stack(&self, stack: &DeployedStack, retain: Vec<String>) -> Result<(), StackError> {
        let retain = Some(retain).filter(|retain| !retain.is_empty());
        let delete = self.cloudformation.delete_stack().stack_name(&stack.id).set_retain_resources(retain);
        let deleted = delete.set_role_arn(self.role_arn.clone()).send().await;
        deleted.map_err(|error| AwsError::call("cloudformation:DeleteStack", error))?;
        let left = self
            .wait(&stack.name, async || {
                Ok::<_, AwsError>(match self.stack(&stack.id).await? {
                    Some(left) if left.status == StackStatus::DeleteFailed => Poll::Ready(Some(left)),
                    Some(left) => Poll::Pending(left.status.to_string()),
                    None => Poll::Ready(None),
                })
            })
            .await?;
        match left {
            Some(left) => Err(self.failed(&left).await?),
            None => {
                self.progress(&format!("{}: DELETE_COMPLETE", stack.name));
                Ok(())
            }
        }
    }

    /// Continues a failed rollback of an update without skipping a resource.
    pub(crate) async fn continue_rollback(&self, stack: &DeployedStack) -> Result<(), StackError> {
        let request = self.cloudformation.continue_update_rollback().stack_name(&stack.id);
        let answer = request.set_role_arn(self.role_arn.clone()).send().await;
        answer.map_err(|error| AwsError::call("cloudformation:ContinueUpdateRollback", error))?;
        self.finish(&stack.id, &StackStatus::UpdateRollbackComplete).await
    }

    /// Returns the failure of a stack with the reasons in its events.
    pub(crate) async fn failed(&self, stack: &DeployedStack) -> Result<StackError, AwsError> {
        let reasons = self.failure_reasons(stack).await?;
        Ok(StackError::Failed { stack: stack.name.clone(), status: stack.status.clone(), reasons })
    }

    /// Returns the reasons why the latest operation on a stack failed, first cause first.
    async fn failure_reasons(&self, stack: &DeployedStack) -> Result<String, AwsError> {
        let mut reasons = Vec::new();
        let mut pages = self.cloudformation.describe_stack_events().stack_name(&stack.id).into_paginator().send();
        'pages: while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::call("cloudformation:DescribeStackEvents", error))?;
            // The newest event comes first.
            for event in page.stack_events.unwrap_or_default() {
                let status = event.resource_status().map(ResourceStatus::as_str).unwrap_or_default();
                let reason = one_line(event.resource_status_reason().unwrap_or_default());
                let resource = event.logical_resource_id().unwrap_or_default();
                if status.ends_with("_FAILED") && !reason.is_empty() && !reason.contains("cancelled") {
                    reasons.push(format!("{resource} {status}: {reason}"));
                }
                let begins = matches!(
                    status,
                    "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "IMPORT_IN_PROGRESS" | "DELETE_IN_PROGRESS"
                );
                if begins && event.physical_resource_id() == Some(&stack.id) {
                    break 'pages;
                }
            }
        }
        reasons.reverse();
        reasons.dedup();
        Ok(if reasons.is_empty() { "its events give no reason".to_owned() } else { reasons.join("; ") })
    }
}

/// Returns the name in a stack's ARN, `arn:…:stack/NAME/UUID`.
fn name_of(id: &str) -> &str {
    id.split('/').nth(1).unwrap_or(id)
}
