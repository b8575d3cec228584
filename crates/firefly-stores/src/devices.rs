//! The table `firefly-devices`: registered devices, and the replay record of each.

mod admission;
mod backup_date;
mod cursor;
#[cfg(test)]
mod limits;
mod list;
mod page;
mod replay;
pub(crate) mod row;
mod table;

pub use admission::{AdmitError, VerifiedDevice};
pub use cursor::{Cursor, CursorError};
pub use list::ListError;
pub use page::DevicePage;
pub use row::Registration;
pub use table::Devices;
