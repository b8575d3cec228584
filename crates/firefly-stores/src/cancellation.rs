//! Transactions that DynamoDB has cancelled.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::error::StoreError;

/// The reasons a transaction was cancelled for, one per item; `None` means that the item was not the cause.
fn cancellation_codes<R>(error: &SdkError<TransactWriteItemsError, R>) -> Vec<&str> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
            codes.filter(|code| *code != "None").collect()
        }
        _ => Vec::new(),
    }
}

/// Returns `true` if every reason is a condition that did not hold, or another write on the same items.
pub(crate) fn lost_a_race<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    let codes = cancellation_codes(error);
    !codes.is_empty() && codes.iter().all(|code| ["ConditionalCheckFailed", "TransactionConflict"].contains(code))
}

/// A transaction that failed for another reason than a race.
pub(crate) fn cancelled(error: &SdkError<TransactWriteItemsError, HttpResponse>) -> StoreError {
    let operation = "dynamodb:TransactWriteItems";
    let codes = cancellation_codes(error);
    let cause = format!("cancelled: {}", codes.join(", "));
    if codes.is_empty() {
        StoreError::from_sdk(operation, error)
    } else if codes.iter().any(|code| ["ValidationError", "ItemCollectionSizeLimitExceeded"].contains(code)) {
        StoreError::Failed { operation, cause }
    } else {
        StoreError::Unavailable { operation, cause }
    }
}
