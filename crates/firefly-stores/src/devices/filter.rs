//! The choice of devices that a list shows.

use firefly_core::device::ProductHex;
use firefly_core::time::UnixSeconds;

use crate::item::Item;

/// The devices that a list shows; without a condition these are all.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeviceFilter {
    /// The devices of this product.
    pub product: Option<ProductHex>,
    /// The devices whose last backup is older than this, or that have none.
    pub backup_before: Option<UnixSeconds>,
}

/// [`DeviceFilter::backup_before`] as DynamoDB judges it. A comparison with an absent attribute or one of another type is
/// false (DynamoDB Developer Guide, "Condition and filter expressions"), so that `NOT` lets those devices pass.
pub(super) const BACKUP_BEFORE: &str = "NOT (last_backup_date >= :before)";

impl DeviceFilter {
    /// Judges as [`BACKUP_BEFORE`] does. Times have the form `YYYY-MM-DDThh:mm:ssZ`, whose order is that of its bytes.
    pub(super) fn has_backup_before(&self, device: &Item) -> bool {
        let Some(before) = self.backup_before else { return true };
        let date = device.get("last_backup_date").and_then(|date| date.as_s().ok());
        date.is_none_or(|date| *date < before.to_string())
    }
}
