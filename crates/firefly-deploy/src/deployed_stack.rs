//! A stack as CloudFormation describes it.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::StackStatus;

use crate::aws_error::AwsError;

/// A stack that CloudFormation knows.
#[derive(Debug, Clone)]
pub(crate) struct DeployedStack {
    /// The stack's ARN, which also finds it after it is deleted.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: StackStatus,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) parameters: BTreeMap<String, String>,
}

impl DeployedStack {
    /// Returns whether CloudFormation is working on the stack. A stack under review waits for somebody to act.
    pub(crate) fn is_busy(&self) -> bool {
        self.status.as_str().ends_with("_IN_PROGRESS") && self.status != StackStatus::ReviewInProgress
    }

    /// Returns whether the stack is at rest in a state in which its outputs are those of its resources.
    pub(crate) fn has_usable_outputs(&self) -> bool {
        matches!(
            self.status,
            StackStatus::CreateComplete
                | StackStatus::UpdateComplete
                | StackStatus::UpdateRollbackComplete
                | StackStatus::ImportComplete
                | StackStatus::ImportRollbackComplete
        )
    }
}

/// Returns whether CloudFormation answered that there is no such stack. Only the message says so, not the code.
pub(crate) fn is_absent(error: &impl ProvideErrorMetadata) -> bool {
    error.code() == Some("ValidationError") && error.message().is_some_and(|text| text.contains("does not exist"))
}

/// Describes a stack by name or ARN; `None` if it does not exist or is deleted.
pub(crate) async fn describe(client: &Client, name: &str) -> Result<Option<DeployedStack>, AwsError> {
    const OPERATION: &str = "cloudformation:DescribeStacks";
    let described = match client.describe_stacks().stack_name(name).send().await {
        Ok(described) => described,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(AwsError::call(OPERATION, error)),
    };
    let Some(stack) = described.stacks.unwrap_or_default().into_iter().next() else {
        return Ok(None);
    };
    let status = stack.stack_status.ok_or_else(|| AwsError::incomplete(OPERATION, "StackStatus"))?;
    if status == StackStatus::DeleteComplete {
        return Ok(None);
    }
    let outputs = stack.outputs.unwrap_or_default().into_iter();
    let parameters = stack.parameters.unwrap_or_default().into_iter();
    Ok(Some(DeployedStack {
        id: stack.stack_id.ok_or_else(|| AwsError::incomplete(OPERATION, "StackId"))?,
        name: stack.stack_name.unwrap_or_else(|| name.to_owned()),
        status,
        outputs: outputs.filter_map(|output| output.output_key.zip(output.output_value)).collect(),
        parameters: parameters.filter_map(|given| given.parameter_key.zip(given.parameter_value)).collect(),
    }))
}
