//! Reads the whole body of a request.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

/// The reason for which a body cannot be read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is longer than allowed.
    #[error("the body is too long")]
    TooLong,
    /// It did not arrive in time.
    #[error("the body did not arrive in time")]
    Late,
    /// The connection ended before it, or its encoding is broken.
    #[error("the body is cut short or malformed")]
    Broken,
}

/// Reads a body of at most `limit` bytes that arrives within `deadline`.
///
/// # Errors
/// [`BodyError`]. The listener then closes the connection after the answer: the rest of the body may still arrive on it.
pub async fn read(body: Body, limit: usize, deadline: Duration) -> Result<Bytes, BodyError> {
    let read = tokio::time::timeout(deadline, Limited::new(body, limit).collect()).await;
    read.map_err(|_| BodyError::Late)?.map(|body| body.to_bytes()).map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() { BodyError::TooLong } else { BodyError::Broken }
    })
}

/// Reads a body of at most `limit` bytes until `deadline` has passed and keeps nothing of it: a client that is still
/// sending would lose an answer that comes before the end.
pub async fn discard(body: Body, limit: usize, deadline: Duration) {
    let mut body = Limited::new(body, limit);
    let all = async { while let Some(Ok(_)) = body.frame().await {} };
    // The answer is the same for a body that comes whole and one that does not.
    let _ = tokio::time::timeout(deadline, all).await;
}
