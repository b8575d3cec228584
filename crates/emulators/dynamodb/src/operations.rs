//! The operations, run by the engine.

use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Runs an operation on its JSON request and returns its JSON response; `None` if the emulator has no such operation.
pub(crate) fn run(database: &Database, operation: &str, body: &[u8]) -> Option<dynoxide::Result<String>> {
    /// Reads the request, calls the engine, writes the response.
    fn call<I: DeserializeOwned, O: Serialize>(
        body: &[u8],
        method: impl FnOnce(I) -> dynoxide::Result<O>,
    ) -> dynoxide::Result<String> {
        let request = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
        serde_json::to_string(&method(request)?).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
    }
    macro_rules! operations {
        ($($name:literal => $method:ident,)*) => {
            match operation {
                $($name => call(body, |request| database.$method(request)),)*
                _ => return None,
            }
        };
    }
    let result = operations! {
        "BatchExecuteStatement" => batch_execute_statement,
        "BatchGetItem" => batch_get_item,
        "BatchWriteItem" => batch_write_item,
        "CreateTable" => create_table,
        "DeleteItem" => delete_item,
        "DeleteTable" => delete_table,
        "DescribeTable" => describe_table,
        "DescribeTimeToLive" => describe_time_to_live,
        "ExecuteStatement" => execute_statement,
        "ExecuteTransaction" => execute_transaction,
        "GetItem" => get_item,
        "ListTables" => list_tables,
        "ListTagsOfResource" => list_tags_of_resource,
        "PutItem" => put_item,
        "Query" => query,
        "Scan" => scan,
        "TagResource" => tag_resource,
        "TransactGetItems" => transact_get_items,
        "TransactWriteItems" => transact_write_items,
        "UntagResource" => untag_resource,
        "UpdateItem" => update_item,
        "UpdateTable" => update_table,
        "UpdateTimeToLive" => update_time_to_live,
    };
    Some(result.map_err(|error| match error {
        // The engine's mark for refusals that these operations word in an envelope, and others do not.
        DynoxideError::EnvelopedValidation(message) => DynoxideError::ValidationException(match operation {
            "PutItem" | "UpdateItem" | "DeleteItem" => format!("1 validation error detected: {message}"),
            _ => message,
        }),
        DynoxideError::ConditionalCheckFailedException(message, Some(item)) if operation == "ExecuteStatement" => {
            DynoxideError::StatementConditionalCheckFailed(message, item)
        }
        other => other,
    }))
}

/// The error for a request that cannot be read. The engine's types begin some messages with the kind of error, which is
/// not part of DynamoDB's text.
fn malformed(error: &serde_json::Error) -> DynoxideError {
    let text = error.to_string();
    for (mark, make) in [
        ("VALIDATION_REQUEST:", DynoxideError::EnvelopedValidation as fn(String) -> DynoxideError),
        ("VALIDATION_AS_READ:", DynoxideError::ValidationException),
        ("VALIDATION:", DynoxideError::ValidationException),
        ("SERIALIZATION_AS_READ:", DynoxideError::SerializationException),
        ("SERIALIZATION:", DynoxideError::SerializationException),
    ] {
        if let Some(message) = text.strip_prefix(mark) {
            return make(without_position(message).to_owned());
        }
    }
    let message = without_position(&text).to_owned();
    let absent = ["missing field", "unknown variant", "invalid type: null"];
    if message.contains("empty AttributeValue") {
        let message = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";
        DynoxideError::ValidationException(message.to_owned())
    } else if message.contains("Supplied AttributeValue") || absent.iter().any(|part| message.contains(part)) {
        DynoxideError::ValidationException(message)
    } else if error.is_data() {
        DynoxideError::SerializationException(message)
    } else {
        // DynamoDB says nothing about text that is not JSON.
        DynoxideError::SerializationException(String::new())
    }
}

/// The message without the place in the text that serde_json adds.
fn without_position(message: &str) -> &str {
    message.rfind(" at line ").map_or(message, |position| &message[..position])
}
