//! A body is read whole, or the reason for which it is not is said.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use emulator_kit::{BodyError, read};
use futures::stream;

/// Longer than any body of these tests takes.
const GENEROUS: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_body_is_read_up_to_the_limit_and_is_too_long_beyond_it() {
    assert_eq!(read(Body::from("body"), 4, GENEROUS).await, Ok(Bytes::from("body")));
    assert_eq!(read(Body::empty(), 0, GENEROUS).await, Ok(Bytes::new()));
    assert_eq!(read(Body::from("body"), 3, GENEROUS).await, Err(BodyError::TooLong));
    let parts = ["bo", "dy"].map(Ok::<_, Infallible>);
    assert_eq!(read(Body::from_stream(stream::iter(parts)), 3, GENEROUS).await, Err(BodyError::TooLong));
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_late() {
    let never = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    assert_eq!(read(never, 4, Duration::ZERO).await, Err(BodyError::Late));
}

#[tokio::test]
async fn a_body_that_ends_with_an_error_is_broken() {
    let ends = [Ok("bo"), Err(io::Error::from(io::ErrorKind::UnexpectedEof))];
    assert_eq!(read(Body::from_stream(stream::iter(ends)), 4, GENEROUS).await, Err(BodyError::Broken));
}

#[test]
fn every_error_has_its_text() {
    for error in [BodyError::TooLong, BodyError::Late, BodyError::Broken] {
        let text = match error {
            BodyError::TooLong => "the body is too long",
            BodyError::Late => "the body did not arrive in time",
            BodyError::Broken => "the body is cut short or malformed",
        };
        assert_eq!(error.to_string(), text);
    }
}
