//! DynamoDB: the embedded engine, and the calls that it lacks.

use std::collections::VecDeque;

use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

use super::http::response;
use super::state::State;

/// Answers a call of the program.
///
/// DescribeContinuousBackups is written from the Amazon DynamoDB API Reference; the engine answers the other calls.
pub(crate) fn answer(state: &mut State, action: &str, body: &[u8]) -> Response<Body> {
    let kind = "application/x-amz-json-1.0";
    if let Some((code, message)) = state.call(format!("dynamodb:{action}")) {
        return response(400, kind, json!({"__type": code, "message": message}).to_string());
    }
    let request: Value = serde_json::from_slice(body).unwrap();
    let name = request["TableName"].as_str().unwrap().to_owned();
    let tables = &mut state.tables;
    if action == "DescribeContinuousBackups" {
        let status = if tables.recovery.contains(&name) { "ENABLED" } else { "DISABLED" };
        let recovery = json!({"PointInTimeRecoveryStatus": status});
        let description = json!({"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery});
        return response(200, kind, json!({"ContinuousBackupsDescription": description}).to_string());
    }
    match tables.call(action, request) {
        Ok(mut answer) => {
            if action == "DescribeTable" {
                let states = tables.states.get_mut(&name);
                if let Some(status) = states.and_then(VecDeque::pop_front) {
                    answer["Table"]["TableStatus"] = json!(status);
                }
                if let Some(indexes) = answer["Table"]["GlobalSecondaryIndexes"].as_array_mut()
                    && let Some(status) = tables.index_states.pop_front()
                {
                    indexes.iter_mut().for_each(|index| index["IndexStatus"] = json!(status));
                }
            }
            if action == "DeleteTable" {
                tables.recovery.remove(&name);
            }
            response(200, kind, answer.to_string())
        }
        Err(error) => response(error.status_code(), kind, error.to_json()),
    }
}
