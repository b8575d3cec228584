//! CloudFormation's query protocol: form-encoded requests, XML answers.
//!
//! Shapes of answers and errors are those of the AWS CloudFormation API Reference.

use axum::body::Body;
use axum::http::Response;

use super::http::response;
use super::query::{Parameters, refusal};
use super::state::State;
use super::{change_set_actions, stack_actions};

/// Answers a call of the program.
pub(crate) fn answer(state: &mut State, parameters: &Parameters) -> Response<Body> {
    let action = parameters["Action"].clone();
    if let Some((code, message)) = state.call(format!("cloudformation:{action}")) {
        return refusal(if code == "ExpiredToken" { 403 } else { 400 }, code, message);
    }
    let result = match action.as_str() {
        "ContinueUpdateRollback" => stack_actions::continue_update_rollback(state, parameters),
        "CreateChangeSet" => change_set_actions::create(state, parameters),
        "DeleteChangeSet" => change_set_actions::delete(state, parameters),
        "DeleteStack" => stack_actions::delete_stack(state, parameters),
        "DescribeChangeSet" => change_set_actions::describe(state, parameters),
        "DescribeEvents" => change_set_actions::describe_events(state, parameters),
        "DescribeStackEvents" => stack_actions::describe_stack_events(state, parameters),
        "DescribeStackResources" => stack_actions::describe_stack_resources(state, parameters),
        "DescribeStacks" => stack_actions::describe_stacks(state, parameters),
        "ExecuteChangeSet" => change_set_actions::execute(state, parameters),
        "GetTemplate" => stack_actions::get_template(state, parameters),
        "ListChangeSets" => change_set_actions::list(state, parameters),
        "ListStackResources" => stack_actions::list_stack_resources(state, parameters),
        _ => panic!("cloudformation:{action}"),
    };
    match result {
        Ok(result) => {
            let body = format!(
                "<{action}Response xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><{action}Result>{result}\
                 </{action}Result><ResponseMetadata><RequestId>b9b4b068-3a41-11e5-94eb-example</RequestId>\
                 </ResponseMetadata></{action}Response>"
            );
            response(200, "text/xml", body)
        }
        Err((code, message)) => refusal(400, code, &message),
    }
}
