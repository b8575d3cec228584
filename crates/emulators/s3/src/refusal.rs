//! The refusals of S3, each with its code and message.

use std::collections::HashMap;

use http::HeaderMap;
use s3s::{S3Error, S3ErrorCode, s3_error};

use crate::memory::MAX_OBJECT_LENGTH;
use crate::object_store::ObjectStoreError;

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

/// The answer to a read of a delete marker by its version id.
pub(crate) fn read_of_delete_marker(id: &str) -> S3Error {
    let mut error = s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource.");
    error.set_headers(delete_marker_headers(id));
    error
}

fn delete_marker_headers(version_id: &str) -> HeaderMap {
    let headers = HashMap::from([("x-amz-delete-marker", "true"), ("x-amz-version-id", version_id)]);
    headers
        .into_iter()
        .filter_map(|(name, value)| Some((http::HeaderName::from_static(name), value.parse().ok()?)))
        .collect()
}
