//! The table `firefly-devices`: registered devices, and the replay record of each.

mod admission;
mod backup_date;
mod batch;
mod cursor;
mod filter;
#[cfg(test)]
mod limits;
mod list;
mod operator;
mod page;
mod product_index;
mod replay;
pub(crate) mod row;
mod table;

pub use admission::{AdmitError, VerifiedDevice};
pub use cursor::{Cursor, CursorError};
pub use filter::DeviceFilter;
pub use list::ListError;
pub use page::DevicePage;
pub use row::{RegisteredDevice, Registration};
pub use table::Devices;
