//! Lists the devices, an answer's worth at a time.

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::device::ProductHex;
use firefly_core::group::SuperUser;

use super::cursor::Cursor;
use super::page::{DevicePage, Filling};
use super::table::Devices;
use crate::error::StoreError;
use crate::item::Item;

/// Most devices in one answer.
const MAX_DEVICES: usize = 1_000;
/// Most pages of up to 1 MB read for one answer, so that a table of little but replay records answers in time.
const MAX_PAGES: usize = 16;

/// The reason for which devices are not listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The cursor is from an answer to another list.
    #[error("the cursor is of another list")]
    ForeignCursor,
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Devices {
    /// Lists devices for a super user, those of one product where one is given, from where `cursor` says.
    ///
    /// # Errors
    ///
    /// [`ListError::ForeignCursor`] when the cursor is not from an answer to the same list, [`ListError::Store`] when the
    /// table fails.
    pub async fn list(
        &self,
        _evidence: &SuperUser,
        product: Option<ProductHex>,
        cursor: Option<Cursor>,
    ) -> Result<DevicePage, ListError> {
        if cursor.as_ref().is_some_and(|cursor| !cursor.is_of(product)) {
            return Err(ListError::ForeignCursor);
        }
        let mut cursor = cursor;
        let mut filling = Filling::default();
        for _ in 0..MAX_PAGES {
            let room = MAX_DEVICES - filling.len();
            let (items, end) = self.page(product, cursor.clone(), room).await?;
            for item in items {
                if !filling.add(&item) {
                    // The next answer starts with this device.
                    return Ok(filling.into_page(cursor));
                }
                cursor = Some(Cursor::at(&item, product)?);
            }
            cursor = end;
            if cursor.is_none() || filling.len() >= MAX_DEVICES {
                break;
            }
        }
        Ok(filling.into_page(cursor))
    }

    /// Reads up to `limit` items and where to continue.
    async fn page(
        &self,
        product: Option<ProductHex>,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<(Vec<Item>, Option<Cursor>), StoreError> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let start = cursor.map(Cursor::into_key);
        let (items, last) = match product {
            None => {
                let output = self
                    .client
                    .scan()
                    .table_name(&self.table)
                    .filter_expression("NOT contains(#uuid, :hash)")
                    .expression_attribute_names("#uuid", "uuid")
                    .expression_attribute_values(":hash", AttributeValue::S("#".to_owned()))
                    .set_exclusive_start_key(start)
                    .limit(limit)
                    .send()
                    .await
                    .map_err(|error| StoreError::from_sdk("dynamodb:Scan", &error))?;
                (output.items, output.last_evaluated_key)
            }
            Some(product) => {
                let output = self
                    .client
                    .query()
                    .table_name(&self.table)
                    .index_name("product_hex-index")
                    .key_condition_expression("product_hex = :product_hex")
                    .expression_attribute_values(":product_hex", AttributeValue::S(product.to_string()))
                    .set_exclusive_start_key(start)
                    .limit(limit)
                    .send()
                    .await
                    .map_err(|error| StoreError::from_sdk("dynamodb:Query", &error))?;
                (output.items, output.last_evaluated_key)
            }
        };
        let last = last.filter(|key| !key.is_empty()).map(|key| Cursor::at(&key, product)).transpose()?;
        Ok((items.unwrap_or_default(), last))
    }
}
