//! Lists the devices, an answer's worth at a time.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use firefly_core::device::ProductHex;
use firefly_core::group::SuperUser;

use super::cursor::Cursor;
use super::filter::{BACKUP_BEFORE, DeviceFilter};
use super::page::{DevicePage, Filling};
use super::product_index::ProductIndex;
use super::table::Devices;
use crate::error::StoreError;
use crate::item::{Attributes, Item};

/// Most devices in one answer.
const MAX_DEVICES: usize = 1_000;
/// Most pages of up to 1 MB scanned for one answer, so that a table of little but replay records answers in time.
const MAX_SCANNED_PAGES: usize = 16;
/// Devices of a product that are read at once: 10 MB if each is as large as DynamoDB allows, 400 KB.
const PRODUCT_PAGE: usize = 25;
/// Most pages of a product read for one answer, in two calls each: 4,000 devices, of which the list may show few.
const MAX_PRODUCT_PAGES: usize = 160;

/// The reason for which devices are not listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The cursor is from an answer to another list, or its index is gone: the list has to begin again.
    #[error("the cursor is of another list")]
    ForeignCursor,
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Devices, each with the cursor at it, and the cursor at which the list continues; without that one it has ended.
type Page = (Vec<(Cursor, Item)>, Option<Cursor>);

impl Devices {
    /// Lists devices for a super user, those that the filter lets pass, from where `cursor` says. A page may be empty and
    /// have a cursor all the same.
    ///
    /// # Errors
    ///
    /// [`ListError::ForeignCursor`] when the cursor is not from an answer to the list of the same product, or its index
    /// is gone, [`ListError::Store`] when the table fails.
    pub async fn list(
        &self,
        _evidence: &SuperUser,
        filter: DeviceFilter,
        cursor: Option<Cursor>,
    ) -> Result<DevicePage, ListError> {
        if cursor.as_ref().is_some_and(|cursor| !cursor.is_of(filter.product)) {
            return Err(ListError::ForeignCursor);
        }
        let mut cursor = cursor;
        let mut filling = Filling::default();
        let pages = if filter.product.is_some() { MAX_PRODUCT_PAGES } else { MAX_SCANNED_PAGES };
        for _ in 0..pages {
            let room = MAX_DEVICES - filling.len();
            let (devices, end) = match filter.product {
                None => self.scanned(filter, cursor.clone(), room).await?,
                Some(product) => self.of_product(product, filter, cursor.clone(), room.min(PRODUCT_PAGE)).await?,
            };
            for (at, device) in devices {
                if !filling.add(&device) {
                    // The next answer starts with this device.
                    return Ok(filling.into_page(cursor));
                }
                cursor = Some(at);
            }
            cursor = end;
            if cursor.is_none() || filling.len() >= MAX_DEVICES {
                break;
            }
        }
        Ok(filling.into_page(cursor))
    }

    /// Scans up to `limit` items, replay records and devices that do not pass included.
    async fn scanned(&self, filter: DeviceFilter, cursor: Option<Cursor>, limit: usize) -> Result<Page, ListError> {
        let mut scan = self
            .client
            .scan()
            .table_name(&self.table)
            .expression_attribute_names("#uuid", "uuid")
            .expression_attribute_values(":hash", AttributeValue::S("#".to_owned()))
            .set_exclusive_start_key(cursor.map(Cursor::into_key))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let mut expression = "NOT contains(#uuid, :hash)".to_owned();
        if let Some(before) = filter.backup_before {
            expression = format!("{expression} AND {BACKUP_BEFORE}");
            scan = scan.expression_attribute_values(":before", AttributeValue::S(before.to_string()));
        }
        let output = scan.filter_expression(expression).send().await;
        let output = output.map_err(|error| StoreError::from_sdk("dynamodb:Scan", &error))?;
        let devices = output.items.unwrap_or_default().into_iter();
        let devices =
            devices.map(|device| Ok((Cursor::in_scan(&device)?, device))).collect::<Result<_, StoreError>>()?;
        let end = output.last_evaluated_key.filter(|key| !key.is_empty());
        Ok((devices, end.as_ref().map(Cursor::in_scan).transpose()?))
    }

    /// Reads up to `limit` devices of a product, and leaves out those that do not pass.
    async fn of_product(
        &self,
        product: ProductHex,
        filter: DeviceFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, ListError> {
        let begins = cursor.is_none();
        let index = cursor.as_ref().map_or(ProductIndex::Keys, Cursor::index);
        let mut found = self.indexed(index, product, cursor, limit).await?;
        if found.is_none() && begins {
            found = self.indexed(ProductIndex::AllAttributes, product, None, limit).await?;
        }
        let (positions, end) = found.ok_or_else(|| if begins { no_index() } else { ListError::ForeignCursor })?;
        let mut devices = self.devices(&positions).await?;
        // A device that was deleted may still be in the index.
        let devices = positions.into_iter().filter_map(|at| devices.remove(at.uuid()).map(|device| (at, device)));
        Ok((devices.filter(|(_, device)| filter.has_backup_before(device)).collect(), end))
    }

    /// The positions of up to `limit` devices of a product, and where to continue; `None` if there is no such index, or it
    /// is still being filled.
    async fn indexed(
        &self,
        index: ProductIndex,
        product: ProductHex,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Option<(Vec<Cursor>, Option<Cursor>)>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index.name())
            .key_condition_expression("product_hex = :product_hex")
            .expression_attribute_values(":product_hex", AttributeValue::S(product.to_string()))
            .projection_expression("#uuid")
            .expression_attribute_names("#uuid", "uuid")
            .set_exclusive_start_key(cursor.map(Cursor::into_key))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let output = match query.send().await {
            Ok(output) => output,
            // "The table does not have the specified index", "Cannot read from backfilling global secondary index":
            // nothing else of the query can be invalid.
            Err(error) if error.code() == Some("ValidationException") => {
                let cause = StoreError::from_sdk("dynamodb:Query", &error);
                tracing::info!(index = index.name(), %cause, "no index to ask");
                return Ok(None);
            }
            Err(error) => return Err(StoreError::from_sdk("dynamodb:Query", &error)),
        };
        let at = |key: &Item| Cursor::in_index(key, product, index);
        let positions = output.items.unwrap_or_default().iter().map(at).collect::<Result<_, _>>()?;
        let end = output.last_evaluated_key.filter(|key| !key.is_empty());
        Ok(Some((positions, end.as_ref().map(at).transpose()?)))
    }

    /// The devices at these positions by UUID; absent ones are left out.
    async fn devices(&self, positions: &[Cursor]) -> Result<HashMap<String, Item>, StoreError> {
        if positions.is_empty() {
            return Ok(HashMap::new());
        }
        let key = |at: &Cursor| [("uuid".to_owned(), AttributeValue::S(at.uuid().to_owned()))].into();
        let keys = positions.iter().map(key).collect();
        let request = KeysAndAttributes::builder().set_keys(Some(keys)).build();
        let request = request.map_err(|error| StoreError::from_build(&error))?;
        let devices = self.batch_get(request).await?.into_iter().map(|device| {
            let uuid = Attributes { item: &device, name: "a device" }.text("uuid")?.to_owned();
            Ok((uuid, device))
        });
        devices.collect()
    }
}

fn no_index() -> ListError {
    let cause = "the table has no index of products that can be read".to_owned();
    ListError::Store(StoreError::Failed { operation: "dynamodb:Query", cause })
}
