//! The conditions of requests, on an object's ETag or date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use s3s::dto::{ETagCondition, Timestamp};
use s3s::{S3Result, s3_error};

use crate::object_store::{Content, Precondition};
use crate::refusal::{not_modified, precondition_failed};

/// The condition of a write.
///
/// # Errors
/// `NotImplemented` for one that the store does not judge.
pub(crate) fn precondition(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> S3Result<Precondition> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Precondition::None),
        (None, Some(ETagCondition::Any)) => Ok(Precondition::Absent),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Precondition::Matches(etag.into_value())),
        _ => Err(s3_error!(NotImplemented, "A put is conditional on If-None-Match: * or on If-Match with one ETag.")),
    }
}

/// The conditions of a read, and those of a copy on its source.
pub(crate) struct Conditions<'a> {
    pub(crate) if_match: Option<&'a ETagCondition>,
    pub(crate) if_none_match: Option<&'a ETagCondition>,
    pub(crate) if_modified_since: Option<&'a Timestamp>,
    pub(crate) if_unmodified_since: Option<&'a Timestamp>,
}

impl Conditions<'_> {
    /// Judges the conditions in their order (RFC 9110, section 13.2.2): a date counts where the ETag that goes before it is
    /// not given. Dates are whole seconds.
    ///
    /// # Errors
    /// `PreconditionFailed`, `NotModified`.
    pub(crate) fn check(&self, content: &Content, last_modified: SystemTime) -> S3Result<()> {
        let names = |condition: &ETagCondition| condition.as_etag().is_none_or(|etag| etag.value() == content.etag);
        let seconds = last_modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let last_modified = Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds));
        let is_failed = match (self.if_match, self.if_unmodified_since) {
            (Some(condition), _) => !names(condition),
            (None, date) => date.is_some_and(|date| last_modified > *date),
        };
        if is_failed {
            return Err(precondition_failed());
        }
        let is_not_modified = match (self.if_none_match, self.if_modified_since) {
            (Some(condition), _) => names(condition),
            (None, date) => date.is_some_and(|date| last_modified <= *date),
        };
        if is_not_modified { Err(not_modified(content, &last_modified)) } else { Ok(()) }
    }
}
