//! The header `Date` of answers.

use std::time::SystemTime;

use http::HeaderValue;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// The format of `Date`, in UTC (RFC 9110, section 5.6.7).
const FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// The time of the system's clock as `Date` carries it.
///
/// hyper's own `Date` stands still after the clock was set back, until it has caught up. AWS's SDKs sign by the `Date` of
/// the answer before, and S3 refuses signatures of another time.
pub(crate) fn now() -> Option<HeaderValue> {
    let text = OffsetDateTime::from(SystemTime::now()).format(FORMAT).ok()?;
    HeaderValue::try_from(text).ok()
}
