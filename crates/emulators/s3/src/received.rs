//! The bodies of objects and parts, received and verified.

use bytes::Bytes;
use futures::TryStreamExt as _;
use http::HeaderMap;
use s3s::dto::{Metadata, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, s3_error};

use crate::checksum;
use crate::memory::MAX_OBJECT_LENGTH;
use crate::refusal::too_large;

/// S3's limit of an object's user metadata, in bytes of its names and values.
const MAX_METADATA_LENGTH: usize = 2048;

/// Succeeds if user metadata are not longer than S3 takes.
///
/// # Errors
/// `MetadataTooLarge`.
pub(crate) fn check_metadata(metadata: &Metadata) -> S3Result<()> {
    if metadata.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_METADATA_LENGTH {
        return Err(s3_error!(MetadataTooLarge, "Your metadata headers exceed the maximum allowed metadata size"));
    }
    Ok(())
}

/// The body of a request, which has the declared length and all its checksums.
///
/// # Errors
/// `EntityTooLarge`, `IncompleteBody`, and the errors of a body whose checksum or signature is another.
pub(crate) async fn body<T>(
    request: &mut S3Request<T>,
    body: Option<StreamingBlob>,
    declared: Option<i64>,
) -> S3Result<Bytes> {
    let body = receive(body, &request.headers).await?;
    if body.len() as u64 > MAX_OBJECT_LENGTH {
        return Err(too_large());
    }
    // The Content-Length of an aws-chunked body has by now been replaced by its decoded length.
    if declared.is_some_and(|declared| u64::try_from(declared) != Ok(body.len() as u64)) {
        return Err(s3_error!(IncompleteBody, "The body does not have the declared length."));
    }
    let trailers = request.trailing_headers.take().and_then(|trailers| trailers.take()).unwrap_or_default();
    checksum::verify(&request.headers, &trailers, &body)?;
    Ok(body)
}

/// The body of a request. It is in memory already; the check of `x-amz-content-sha256` or of the chunks may fail.
async fn receive(body: Option<StreamingBlob>, headers: &HeaderMap) -> S3Result<Bytes> {
    let Some(body) = body else {
        return Ok(Bytes::new());
    };
    let chunks: Vec<Bytes> = body.try_collect().await.map_err(|error| {
        let declared = headers.get("x-amz-content-sha256").map(|value| value.as_bytes());
        if declared.is_some_and(|value| value.starts_with(b"STREAMING-")) {
            s3_error!(InvalidRequest, "The aws-chunked body is malformed or wrongly signed: {error}")
        } else {
            let code = S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into());
            let mut error = S3Error::with_message(
                code,
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            );
            error.set_status_code(http::StatusCode::BAD_REQUEST);
            error
        }
    })?;
    match <[Bytes; 1]>::try_from(chunks) {
        Ok([whole]) => Ok(whole),
        Err(chunks) => Ok(chunks.concat().into()),
    }
}
