//! CloudFormation's actions on stacks.
//!
//! The User Guide says what a state allows, under "Understand CloudFormation stack creation events" (stack status codes)
//! and "Delete a stack".

use std::collections::BTreeMap;

use super::document::TemplateDocument;
use super::http::escape;
use super::query::{Parameters, Refusal, members};
use super::resources;
use super::stack::{Resource, Stack};
use super::state::State;

/// Answers DescribeStacks. API Reference: "If the stack doesn't exist, a ValidationError is returned."
///
/// A deleted stack is found by its ARN for 90 days.
pub(super) fn describe_stacks(state: &mut State, parameters: &Parameters) -> Result<String, Refusal> {
    let name = &parameters["StackName"];
    let missing = || ("ValidationError", format!("Stack with id {name} does not exist"));
    let stack = state.stack(name).ok_or_else(missing)?.look();
    let outputs = members(&stack.outputs, |(name, value)| {
        format!("<OutputKey>{name}</OutputKey><OutputValue>{}</OutputValue>", escape(value))
    });
    let given = members(&stack.parameters, |(name, value)| {
        format!("<ParameterKey>{name}</ParameterKey><ParameterValue>{}</ParameterValue>", escape(value))
    });
    Ok(format!(
        "<Stacks><member><StackId>{}</StackId><StackName>{}</StackName><CreationTime>2026-11-20T08:00:00.000Z\
         </CreationTime><StackStatus>{}</StackStatus><Outputs>{outputs}</Outputs><Parameters>{given}</Parameters>\
         <DisableRollback>false</DisableRollback></member></Stacks>",
        stack.id, stack.name, stack.status
    ))
}

fn resource(resource: &Resource) -> String {
    format!(
        "<LogicalResourceId>{}</LogicalResourceId><PhysicalResourceId>{}</PhysicalResourceId><ResourceType>{}\
         </ResourceType><ResourceStatus>{}</ResourceStatus>",
        resource.logical_id, resource.physical_id, resource.kind, resource.status
    )
}

/// Answers ListStackResources, by the API Reference.
pub(super) fn list_stack_resources(state: &mut State, parameters: &Parameters) -> Result<String, Refusal> {
    let stack = state.existing(&parameters["StackName"])?;
    let at = "<LastUpdatedTimestamp>2026-11-20T08:00:00Z</LastUpdatedTimestamp>";
    let summaries = members(&stack.resources, |listed| resource(listed) + at);
    Ok(format!("<StackResourceSummaries>{summaries}</StackResourceSummaries>"))
}

/// Answers DescribeStackResources.
///
/// API Reference: a physical id gives every resource of the stack that it belongs to; "for deleted stacks,
/// DescribeStackResources returns resource information for up to 90 days".
pub(super) fn describe_stack_resources(state: &mut State, parameters: &Parameters) -> Result<String, Refusal> {
    let id = &parameters["PhysicalResourceId"];
    let holds = |stack: &&Stack| stack.resources.iter().any(|resource| resource.physical_id == *id);
    let live = state.stacks.iter().find(|stack| !stack.is_deleted() && holds(stack));
    let stack = live.or_else(|| state.stacks.iter().find(holds));
    let stack = stack.ok_or_else(|| ("ValidationError", format!("Stack for {id} does not exist")))?;
    let described = members(&stack.resources, |listed| {
        let stack = format!("<StackName>{}</StackName><StackId>{}</StackId>", stack.name, stack.id);
        format!("{stack}{}<Timestamp>2026-11-20T08:00:00Z</Timestamp>", resource(listed))
    });
    Ok(format!("<StackResources>{described}</StackResources>"))
}

/// Answers DescribeStackEvents. API Reference: "in reverse chronological order".
pub(super) fn describe_stack_events(state: &mut State, parameters: &Parameters) -> Result<String, Refusal> {
    let stack = state.existing(&parameters["StackName"])?;
    let events = members(stack.events.iter().rev().enumerate(), |(number, event)| {
        let reason = escape(&event.reason);
        format!(
            "<StackId>{}</StackId><EventId>{number}</EventId><StackName>{}</StackName><LogicalResourceId>{}\
             </LogicalResourceId><PhysicalResourceId>{}</PhysicalResourceId><ResourceStatus>{}</ResourceStatus>\
             <ResourceStatusReason>{reason}</ResourceStatusReason><Timestamp>2026-11-20T08:00:00Z</Timestamp>",
            stack.id, stack.name, event.logical_id, event.physical_id, event.status
        )
    });
    Ok(format!("<StackEvents>{events}</StackEvents>"))
}

/// Answers GetTemplate, by the API Reference.
pub(super) fn get_template(state: &mut State, parameters: &Parameters) -> Result<String, Refusal> {
    let stack = state.existing(&parameters["StackName"])?;
    Ok(format!("<TemplateBody>{}</TemplateBody>", escape(&stack.template)))
}

/// Answers ContinueUpdateRollback. API Reference: "for a stack that's in the UPDATE_ROLLBACK_FAILED state".
pub(super) fn continue_update_rollback(state: &mut State, parameters: &Parameters) -> Result<String, Refusal> {
    assert!(!parameters.keys().any(|name| name.starts_with("ResourcesToSkip")), "no resource is skipped");
    state.roles.push(parameters.get("RoleARN").cloned());
    let (lag, fails) = (state.lag, state.fail_rollback);
    let stack = state.existing(&parameters["StackName"])?;
    if stack.status != "UPDATE_ROLLBACK_FAILED" {
        let message =
            format!("Stack [{}] is in {} state and can not continue update rollback", stack.name, stack.status);
        return Err(("ValidationError", message));
    }
    let last = if fails.is_some() { "UPDATE_ROLLBACK_FAILED" } else { "UPDATE_ROLLBACK_COMPLETE" };
    stack.go(lag, "UPDATE_ROLLBACK_IN_PROGRESS", last);
    if let Some(reason) = fails {
        let resource = stack.resources[0].clone();
        stack.resource(&resource.logical_id, &resource.physical_id, &resource.kind, "UPDATE_FAILED", reason);
        stack.event("UPDATE_ROLLBACK_FAILED", "");
    }
    Ok(String::new())
}

/// Answers DeleteStack. API Reference: RetainResources is "for stacks in the DELETE_FAILED state".
///
/// User Guide, "DeletionPolicy attribute": a retained resource is skipped, and the stack reaches DELETE_COMPLETE.
pub(super) fn delete_stack(state: &mut State, parameters: &Parameters) -> Result<String, Refusal> {
    state.roles.push(parameters.get("RoleARN").cloned());
    let lag = state.lag;
    let retain: Vec<String> =
        (1..).map_while(|number| parameters.get(&format!("RetainResources.member.{number}")).cloned()).collect();
    // The deletion of an absent or deleted stack is not an error.
    let Some(stack) = state.stack(&parameters["StackName"]).map(|stack| stack.clone()) else {
        return Ok(String::new());
    };
    if stack.is_deleted() {
        return Ok(String::new());
    }
    if stack.protected {
        let message = format!("Stack [{}] cannot be deleted while TerminationProtection is enabled", stack.name);
        return Err(("ValidationError", message));
    }
    let failed = |id: &String| stack.resources.iter().any(|one| one.logical_id == *id && one.status == "DELETE_FAILED");
    if !retain.is_empty() && (stack.status != "DELETE_FAILED" || !retain.iter().all(failed)) {
        let message = format!("The specified resources to retain must be in a valid state. Do not specify {retain:?}");
        return Err(("ValidationError", message));
    }
    let mut stack = stack;
    let declared = if stack.template.is_empty() {
        BTreeMap::new()
    } else {
        TemplateDocument::new(&stack.template, &stack.parameters).resources()
    };
    stack.event("DELETE_IN_PROGRESS", "User Initiated");
    let mut outcome = "DELETE_COMPLETE";
    // A resource is deleted before those that it refers to. One that could not be deleted is tried again.
    let gone = |one: &Resource| matches!(one.status.as_str(), "DELETE_COMPLETE" | "DELETE_SKIPPED");
    for one in stack.resources.clone().into_iter().rev().filter(|one| !gone(one)) {
        let policy = declared.get(&one.logical_id).and_then(|declared| declared.policy.as_deref());
        let (status, reason) = if policy == Some("Retain") || retain.contains(&one.logical_id) {
            ("DELETE_SKIPPED", String::new())
        } else {
            let fails = state.fail_deletion.pop_front().map(|reason| Err(reason.to_owned()));
            match fails.unwrap_or_else(|| resources::delete(state, &one)) {
                Ok(()) => ("DELETE_COMPLETE", String::new()),
                Err(reason) => ("DELETE_FAILED", reason),
            }
        };
        if status == "DELETE_FAILED" {
            outcome = "DELETE_FAILED";
        }
        stack.resource(&one.logical_id, &one.physical_id, &one.kind, status, &reason);
    }
    stack.go(lag, "DELETE_IN_PROGRESS", outcome);
    stack.events.pop();
    let id = stack.id.clone();
    state.change_sets.retain(|change_set| change_set.stack_id != id);
    *state.stacks.iter_mut().find(|known| known.id == id).unwrap() = stack;
    Ok(String::new())
}
