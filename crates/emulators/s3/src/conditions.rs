//! The conditions of requests: `If-Match` and `If-None-Match`.

use s3s::dto::ETagCondition;
use s3s::{S3Result, s3_error};

use crate::object_store::{Content, Precondition};
use crate::refusal::precondition_failed;

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

/// `If-Match` and `If-None-Match` of a read (RFC 9110, sections 13.1.1 and 13.1.2).
pub(crate) fn check_conditions(
    content: &Content,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let names = |condition: &ETagCondition| condition.as_etag().is_none_or(|etag| etag.value() == content.etag);
    if if_match.is_some_and(|condition| !names(condition)) {
        return Err(precondition_failed());
    }
    if if_none_match.is_some_and(names) {
        return Err(s3_error!(NotModified));
    }
    Ok(())
}
