//! Reads of several items at once.

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::table::Devices;
use crate::error::StoreError;
use crate::item::Item;
use crate::race::race_backoff;

/// The number of times DynamoDB is asked for keys that it leaves unprocessed.
const READ_ATTEMPTS: u32 = 4;

impl Devices {
    /// Reads the items of these keys, at most 100, in no order; absent ones are left out.
    pub(super) async fn batch_get(&self, mut request: KeysAndAttributes) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        for attempt in 1..=READ_ATTEMPTS {
            let output = self
                .client
                .batch_get_item()
                .request_items(&self.table, request)
                .send()
                .await
                .map_err(|error| StoreError::from_sdk("dynamodb:BatchGetItem", &error))?;
            items.extend(output.responses.into_iter().flatten().flat_map(|(_, items)| items));
            // DynamoDB reports throttled keys as unprocessed, not as an error, so the SDK does not retry them.
            match output.unprocessed_keys.and_then(|mut tables| tables.remove(&self.table)) {
                None => return Ok(items),
                Some(left) => request = left,
            }
            tokio::time::sleep(race_backoff(attempt)).await;
        }
        Err(unprocessed("keys were left unprocessed each time"))
    }
}

/// The failure of a read that DynamoDB did not do.
pub(super) fn unprocessed(cause: &str) -> StoreError {
    StoreError::Unavailable { operation: "dynamodb:BatchGetItem", cause: cause.to_owned() }
}
