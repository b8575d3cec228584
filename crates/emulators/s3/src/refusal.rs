//! The refusals of S3, each with its code and message.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header};
use s3s::dto::{Timestamp, TimestampFormat};
use s3s::{HttpResponse, S3Error, S3ErrorCode, s3_error};

use crate::memory::MAX_OBJECT_LENGTH;
use crate::object_store::{Content, ObjectStoreError};

/// Turns an error of the store into an answer. An error that is the store's fault is logged.
pub(crate) fn refusal(error: ObjectStoreError) -> S3Error {
    match error {
        ObjectStoreError::InvalidBucketName(_) => {
            s3_error!(InvalidBucketName, "The specified bucket is not valid.")
        }
        ObjectStoreError::NoSuchBucket(_) => {
            s3_error!(NoSuchBucket, "The specified bucket does not exist")
        }
        ObjectStoreError::NoSuchKey { delete_marker } => {
            let mut error = s3_error!(NoSuchKey, "The specified key does not exist.");
            if let Some(id) = delete_marker {
                error.set_headers(delete_marker_headers(&id));
            }
            error
        }
        ObjectStoreError::NoSuchVersion => {
            s3_error!(NoSuchVersion, "The specified version does not exist.")
        }
        ObjectStoreError::InvalidVersionId => s3_error!(InvalidArgument, "Invalid version id specified"),
        ObjectStoreError::NoSuchUpload => s3_error!(
            NoSuchUpload,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
             completed."
        ),
        ObjectStoreError::NoSuchPart => no_such_part(),
        ObjectStoreError::PreconditionFailed => precondition_failed(),
        ObjectStoreError::InUse(_) | ObjectStoreError::Broken { .. } | ObjectStoreError::Io { .. } => {
            tracing::error!(%error, "object store");
            S3Error::with_message(S3ErrorCode::InternalError, error.to_string())
        }
    }
}

pub(crate) fn unknown_principal() -> S3Error {
    s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records.")
}

pub(crate) fn too_large() -> S3Error {
    s3_error!(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size of {MAX_OBJECT_LENGTH} bytes.")
}

pub(crate) fn no_such_part() -> S3Error {
    s3_error!(
        InvalidPart,
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified \
         entity tag may not match the part's entity tag."
    )
}

pub(crate) fn access_denied() -> S3Error {
    s3_error!(AccessDenied, "Access Denied")
}

pub(crate) fn precondition_failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

/// The answer to a conditional read of an object that the client has already.
pub(crate) fn not_modified(content: &Content, last_modified: &Timestamp) -> S3Error {
    let mut error = s3_error!(NotModified);
    let mut date = Vec::new();
    if last_modified.format(TimestampFormat::HttpDate, &mut date).is_ok() {
        let etag = format!("\"{}\"", content.etag).into_bytes();
        error.set_headers(headers([(header::ETAG, etag), (header::LAST_MODIFIED, date)]));
    }
    error
}

/// The answer to a read of a part that the object does not have.
pub(crate) fn no_such_part_of_object() -> S3Error {
    let code = S3ErrorCode::Custom("InvalidPartNumber".into());
    let mut error = S3Error::with_message(code, "The requested partnumber is not satisfiable");
    error.set_status_code(StatusCode::RANGE_NOT_SATISFIABLE);
    error
}

/// The answer to a request with these headers outside its signature. It has a member that [`S3Error`] cannot have.
pub(crate) fn headers_not_signed(names: &[HeaderName]) -> HttpResponse {
    let names: Vec<_> = names.iter().map(|name| name.as_str().replace('&', "&amp;")).collect();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>AccessDenied</Code><Message>There were headers present in \
         the request which were not signed</Message><HeadersNotSigned>{}</HeadersNotSigned></Error>",
        names.join(", ")
    );
    let mut answer = HttpResponse::new(s3s::Body::from(Bytes::from(body)));
    *answer.status_mut() = StatusCode::FORBIDDEN;
    *answer.headers_mut() = headers([(header::CONTENT_TYPE, b"application/xml".to_vec())]);
    answer
}

/// The answer to a read of a delete marker by its version id.
pub(crate) fn read_of_delete_marker(id: &str) -> S3Error {
    let mut error = s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource.");
    error.set_headers(delete_marker_headers(id));
    error
}

fn delete_marker_headers(version_id: &str) -> HeaderMap {
    headers([
        (HeaderName::from_static("x-amz-delete-marker"), b"true".to_vec()),
        (HeaderName::from_static("x-amz-version-id"), version_id.as_bytes().to_vec()),
    ])
}

fn headers<const N: usize>(pairs: [(HeaderName, Vec<u8>); N]) -> HeaderMap {
    pairs.into_iter().filter_map(|(name, value)| Some((name, value.try_into().ok()?))).collect()
}
