//! Verifies the checksums that a client sends with an object.
//!
//! They are `Content-MD5`, and `x-amz-checksum-…` as a header or as a trailer of an `aws-chunked` body. The received body
//! has to match all of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use s3s::crypto::{Checksum, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use crate::object_store::Content;

/// Headers whose names begin like a checksum's, but which carry other values.
const NOT_CHECKSUMS: [&str; 3] = ["x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"];

/// Compares every checksum in the headers and trailers of a request, all in Base64, with the body.
///
/// # Errors
/// `BadDigest` for a mismatch; `InvalidDigest` and `InvalidRequest` for a value that cannot be a checksum; `NotImplemented`
/// for an algorithm unknown here; `MalformedTrailerError` if a trailer announced by `x-amz-trailer` is missing.
pub(crate) fn verify(headers: &HeaderMap, trailers: &HeaderMap, body: &[u8]) -> S3Result<()> {
    for announced in headers.get_all("x-amz-trailer") {
        let announced = announced.to_str().unwrap_or_default();
        if let Some(missing) = announced.split(',').map(str::trim).find(|name| !trailers.contains_key(*name)) {
            return Err(malformed_trailer(missing));
        }
    }
    for (name, sent) in headers.iter().chain(trailers) {
        let name = name.as_str();
        let computed = match name {
            "content-md5" => digest::<Md5>(body),
            "x-amz-checksum-crc32" => digest::<Crc32>(body),
            "x-amz-checksum-crc32c" => digest::<Crc32c>(body),
            "x-amz-checksum-crc64nvme" => digest::<Crc64Nvme>(body),
            "x-amz-checksum-sha1" => digest::<Sha1>(body),
            "x-amz-checksum-sha256" => digest::<Sha256>(body),
            _ if name.starts_with("x-amz-checksum-") && !NOT_CHECKSUMS.contains(&name) => {
                return Err(s3_error!(NotImplemented, "The checksum algorithm of {name} is not implemented."));
            }
            _ => continue,
        };
        match BASE64.decode(sent) {
            Ok(sent) if sent == computed => {}
            Ok(sent) if sent.len() == computed.len() => {
                return Err(s3_error!(BadDigest, "The {name} you specified did not match what we received."));
            }
            Ok(_) | Err(_) if name == "content-md5" => {
                return Err(s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid."));
            }
            Ok(_) | Err(_) => {
                return Err(s3_error!(InvalidRequest, "Value for {name} header is invalid."));
            }
        }
    }
    Ok(())
}

fn digest<C: Checksum>(body: &[u8]) -> Vec<u8> {
    C::checksum(body).as_ref().to_vec()
}

fn malformed_trailer(missing: &str) -> S3Error {
    let code = S3ErrorCode::Custom("MalformedTrailerError".into());
    let mut error =
        S3Error::with_message(code, format!("The trailer {missing} announced by x-amz-trailer is missing."));
    error.set_status_code(http::StatusCode::BAD_REQUEST);
    error
}

/// The checksum of a stored object, as `x-amz-checksum-sha256` carries it.
pub(crate) fn sha256_base64(content: &Content) -> String {
    BASE64.encode(content.sha256)
}
