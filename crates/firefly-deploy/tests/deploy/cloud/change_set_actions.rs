//! CloudFormation's actions on change sets: they are made, looked at, executed, deleted.

use std::collections::{BTreeMap, BTreeSet};

use super::change_set::ChangeSet;
use super::document::{Declared, TemplateDocument};
use super::http::escape;
use super::query::{Parameters, Refusal, list as pairs, members};
use super::resources;
use super::stack::Stack;
use super::state::State;

/// Answers CreateChangeSet of the types CREATE, UPDATE and IMPORT.
///
/// API Reference: a CREATE or IMPORT for a name without a stack makes one that is REVIEW_IN_PROGRESS.
pub(crate) fn create(state: &mut State, parameters: &Parameters) -> Result<String, Refusal> {
    let (name, change_set, kind) =
        (&parameters["StackName"], &parameters["ChangeSetName"], parameters["ChangeSetType"].as_str());
    state.roles.push(parameters.get("RoleARN").cloned());
    // By it costs are seen, and the stack's resources get it.
    assert_eq!(pairs(parameters, "Tags", "Key", "Value"), [("Application".to_owned(), "firefly".to_owned())].into());
    if kind != "UPDATE" && state.stack(name).is_none() {
        let mut shell = Stack::new(name, state.stacks.len(), "REVIEW_IN_PROGRESS");
        shell.event("REVIEW_IN_PROGRESS", "User Initiated");
        state.stacks.push(shell);
    }
    let stack = state.existing(name)?.clone();
    if !takes_change_set(&stack, kind) {
        let message = format!("Stack:{} is in {} state and can not be updated.", stack.id, stack.status);
        return Err(("ValidationError", message));
    }
    if state.change_sets.iter().any(|known| known.stack_id == stack.id && known.name == *change_set) {
        return Err(("AlreadyExistsException", format!("ChangeSet {change_set} already exists")));
    }
    let given = pairs(parameters, "Parameters", "ParameterKey", "ParameterValue");
    let template = parameters["TemplateBody"].clone();
    state.templates.push((kind.to_owned(), template.clone()));
    let document = TemplateDocument::new(&template, &given);
    let before = (!stack.template.is_empty()).then(|| TemplateDocument::new(&stack.template, &stack.parameters));
    let old = before.as_ref().map(TemplateDocument::resources).unwrap_or_default();
    let new = document.resources();
    if kind == "IMPORT" {
        let imported = import_names(parameters);
        check_import(&document, &new, &imported).map_err(|message| ("ValidationError", message.to_owned()))?;
    }
    let changes =
        if kind == "IMPORT" { new.keys().map(|id| (id.clone(), "Import", "")).collect() } else { changes(&old, &new) };
    let outputs_differ = before.is_none_or(|before| before.outputs() != document.outputs());
    let (lag, refused) = (state.lag, state.refuse_change.take());
    let reason = match refused {
        Some((reason, _)) => reason.to_owned(),
        // User Guide, "Update stacks using change sets", and the AWS CLI's own source, which looks for these words.
        None if changes.is_empty() && !outputs_differ => {
            "The submitted information didn't contain changes. Submit different information to create a change set."
                .to_owned()
        }
        None => String::new(),
    };
    let last = if reason.is_empty() { "CREATE_COMPLETE" } else { "FAILED" };
    let made = state.put_change_set(name, change_set, last);
    (made.kind, made.reason, made.changes) = (kind.to_owned(), reason, changes);
    (made.template, made.parameters, made.validation) = (template, given, refused.map(|(_, validation)| validation));
    if lag > 0 {
        let busy = (1..lag).map(|_| "CREATE_IN_PROGRESS".to_owned());
        made.then = busy.chain([last.to_owned()]).collect();
        made.status = "CREATE_PENDING".to_owned();
    }
    Ok(format!("<Id>{}</Id><StackId>{}</StackId>", made.id, made.stack_id))
}

/// Returns whether a change set of this type can be made. User Guide: stack status codes.
fn takes_change_set(stack: &Stack, kind: &str) -> bool {
    match kind {
        "UPDATE" => matches!(
            stack.status.as_str(),
            "CREATE_COMPLETE"
                | "UPDATE_COMPLETE"
                | "UPDATE_ROLLBACK_COMPLETE"
                | "IMPORT_COMPLETE"
                | "IMPORT_ROLLBACK_COMPLETE"
        ),
        _ => stack.status == "REVIEW_IN_PROGRESS",
    }
}

/// Returns the names that are imported, by logical id.
fn import_names(parameters: &Parameters) -> BTreeMap<String, String> {
    let names = (1..).map_while(|number| {
        let at = |part: &str| parameters.get(&format!("ResourcesToImport.member.{number}.{part}")).cloned();
        Some((at("LogicalResourceId")?, at("ResourceIdentifier.entry.1.value")?))
    });
    names.collect()
}

/// Refuses an import that CloudFormation refuses. User Guide: "Import AWS resources into a CloudFormation stack".
fn check_import(
    document: &TemplateDocument,
    declared: &BTreeMap<String, Declared>,
    imported: &BTreeMap<String, String>,
) -> Result<(), &'static str> {
    if document.has_outputs() {
        return Err("As part of the import operation, you cannot modify or add [Outputs]");
    }
    for (logical_id, resource) in declared {
        if resource.policy.is_none() {
            return Err("Resources to import must have a DeletionPolicy attribute specified in the template.");
        }
        if imported.get(logical_id) != Some(&resource.physical_id("", logical_id)) {
            return Err("Resources [] is missing from ResourceToImport list");
        }
    }
    Ok(())
}

/// Returns the differences between two templates. A DeletionPolicy alone is not a difference.
fn changes(
    old: &BTreeMap<String, Declared>,
    new: &BTreeMap<String, Declared>,
) -> Vec<(String, &'static str, &'static str)> {
    let ids: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let changes = ids.into_iter().filter_map(|id| match (old.get(id), new.get(id)) {
        (None, Some(_)) => Some((id.clone(), "Add", "")),
        (Some(_), None) => Some((id.clone(), "Remove", "")),
        (Some(old), Some(new)) if old.properties != new.properties || old.metadata != new.metadata => {
            let fixed = ["TableName", "KeySchema", "BucketName"];
            let replaced = fixed.iter().any(|name| old.properties[name] != new.properties[name]);
            Some((id.clone(), "Modify", if replaced { "True" } else { "False" }))
        }
        _ => None,
    });
    changes.collect()
}

/// Answers DescribeChangeSet, by the API Reference.
pub(crate) fn describe(state: &mut State, parameters: &Parameters) -> Result<String, Refusal> {
    let shown = state.change_set(&parameters["ChangeSetName"])?.look();
    let changes = members(&shown.changes, |(id, action, replacement)| {
        let replacement = match *replacement {
            "" => String::new(),
            replacement => format!("<Replacement>{replacement}</Replacement>"),
        };
        format!(
            "<Type>Resource</Type><ResourceChange><Action>{action}</Action><LogicalResourceId>{id}\
             </LogicalResourceId>{replacement}</ResourceChange>"
        )
    });
    Ok(format!(
        "<ChangeSetName>{}</ChangeSetName><ChangeSetId>{}</ChangeSetId><StackId>{}</StackId><Status>{}</Status>\
         <StatusReason>{}</StatusReason><ExecutionStatus>{}</ExecutionStatus><Changes>{changes}</Changes>",
        shown.name,
        shown.id,
        shown.stack_id,
        shown.status,
        escape(&shown.reason),
        shown.execution
    ))
}

/// Answers ListChangeSets, by the API Reference.
pub(crate) fn list(state: &mut State, parameters: &Parameters) -> Result<String, Refusal> {
    let (stack, status) = {
        let stack = state.existing(&parameters["StackName"])?;
        (stack.id.clone(), stack.status.clone())
    };
    // An execution has ended when its stack is at rest.
    for change_set in state.change_sets.iter_mut().filter(|change_set| change_set.stack_id == stack) {
        if change_set.execution == "EXECUTE_IN_PROGRESS" && status.ends_with("_COMPLETE") {
            change_set.execution = "EXECUTE_COMPLETE".to_owned();
        }
    }
    let of_stack = state.change_sets.iter_mut().filter(|change_set| change_set.stack_id == stack);
    let shown: Vec<_> = of_stack.map(ChangeSet::look).collect();
    let summaries = members(shown, |shown| {
        format!(
            "<StackId>{}</StackId><ChangeSetId>{}</ChangeSetId><ChangeSetName>{}</ChangeSetName><Status>{}</Status>\
             <ExecutionStatus>{}</ExecutionStatus>",
            shown.stack_id, shown.id, shown.name, shown.status, shown.execution
        )
    });
    Ok(format!("<Summaries>{summaries}</Summaries>"))
}

/// Answers DescribeEvents with the failed validations of a change set.
///
/// Sources: API Reference, and User Guide, "Validate stack deployments".
pub(crate) fn describe_events(state: &mut State, parameters: &Parameters) -> Result<String, Refusal> {
    assert_eq!(parameters.get("Filters.FailedEvents").map(String::as_str), Some("true"));
    let change_set = state.change_set(&parameters["ChangeSetName"])?;
    let validation = change_set.validation.filter(|validation| !validation.is_empty());
    let events = members(validation, |reason| {
        format!(
            "<EventId>1</EventId><EventType>VALIDATION_ERROR</EventType><LogicalResourceId>DevicesTable\
             </LogicalResourceId><ValidationName>NAME_CONFLICT_VALIDATION</ValidationName><ValidationStatus>FAILED\
             </ValidationStatus><ValidationStatusReason>{}</ValidationStatusReason><Timestamp>2026-11-20T08:00:00Z\
             </Timestamp>",
            escape(reason)
        )
    });
    Ok(format!("<OperationEvents>{events}</OperationEvents>"))
}

/// Answers DeleteChangeSet. API Reference: InvalidChangeSetStatus while it is being made or executed.
pub(crate) fn delete(state: &mut State, parameters: &Parameters) -> Result<String, Refusal> {
    let change_set = state.change_set(&parameters["ChangeSetName"])?;
    if !matches!(change_set.status.as_str(), "CREATE_COMPLETE" | "FAILED" | "DELETE_FAILED") {
        let message = format!("ChangeSet [{}] is in {} status", change_set.id, change_set.status);
        return Err(("InvalidChangeSetStatus", message));
    }
    let id = change_set.id.clone();
    state.change_sets.retain(|change_set| change_set.id != id);
    Ok(String::new())
}

/// Answers ExecuteChangeSet.
///
/// API Reference: "When you execute a change set, CloudFormation deletes all other change sets associated with the stack
/// because they aren't valid for the updated stack."
pub(crate) fn execute(state: &mut State, parameters: &Parameters) -> Result<String, Refusal> {
    let change_set = state.change_set(&parameters["ChangeSetName"])?.clone();
    if change_set.execution != "AVAILABLE" || change_set.status != "CREATE_COMPLETE" {
        let message = format!("ChangeSet [{}] cannot be executed in its current status", change_set.id);
        return Err(("InvalidChangeSetStatus", message));
    }
    state.change_sets.retain(|other| other.stack_id != change_set.stack_id);
    let (lag, fails) = (state.lag, state.fail_execution.take());
    let mut stack = state.existing(&change_set.stack_id)?.clone();
    let (verb, rolled_back) = match change_set.kind.as_str() {
        "CREATE" => ("CREATE", "ROLLBACK_COMPLETE"),
        "IMPORT" => ("IMPORT", "IMPORT_ROLLBACK_COMPLETE"),
        _ => ("UPDATE", "UPDATE_ROLLBACK_COMPLETE"),
    };
    let (busy, done) = (format!("{verb}_IN_PROGRESS"), format!("{verb}_COMPLETE"));
    stack.event(&busy, "User Initiated");
    let document = TemplateDocument::new(&change_set.template, &change_set.parameters);
    let applied = match (verb, fails) {
        ("IMPORT", None) => resources::import(state, &mut stack, &document),
        (_, None) => resources::apply(state, &mut stack, &document),
        (_, Some(reason)) => Err(reason.to_owned()),
    };
    let last = match applied {
        Ok(()) => {
            (stack.template, stack.parameters) = (change_set.template, change_set.parameters);
            if verb != "IMPORT" {
                stack.outputs = document.outputs();
            }
            done
        }
        Err(reason) => {
            let (logical_id, declared) = document.resources().into_iter().next().unwrap();
            let physical_id = declared.physical_id(&stack.name, &logical_id);
            let status = if verb == "UPDATE" { "UPDATE_FAILED" } else { "CREATE_FAILED" };
            stack.resource(&logical_id, &physical_id, &declared.kind, status, &reason);
            if verb != "UPDATE" {
                stack.resource(&logical_id, &physical_id, &declared.kind, "DELETE_COMPLETE", "");
            }
            rolled_back.to_owned()
        }
    };
    stack.go(lag, &busy, &last);
    // `go` has noted the state in progress a second time: the event of the last state takes its place.
    stack.events.pop();
    stack.event(&last, "");
    *state.existing(&change_set.stack_id)? = stack;
    Ok(String::new())
}
