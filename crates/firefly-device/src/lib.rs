//! A FireFly controller without the hardware: its identity, signatures, sealed backups and requests.
//!
//! This crate sends the same bytes as the firmware, and accepts the same responses. Time and randomness come in as
//! arguments.
//!
//! ```no_run
//! # async fn tour(now: firefly_core::time::UnixSeconds) -> Result<(), Box<dyn std::error::Error>> {
//! use firefly_device::{Client, Identity, etag, random_nonce};
//!
//! let mut rng = rand::rng();
//! let cloud = Client::new("http://127.0.0.1:8080")?;
//! let device = Identity::generate("0x0000F1F1".parse()?, &mut rng);
//! cloud.register(&device, &"A1B2C3".parse()?).await?;
//!
//! let configuration = b"{}";
//! let envelope = device.seal(configuration, &rand::random())?;
//! let signed = device.sign(&random_nonce(&mut rng), now);
//! let answer = cloud.upload(&signed, &envelope, Some(etag(configuration))).await?;
//! assert_eq!(answer.response.status, 200);
//! # Ok(())
//! # }
//! ```

mod backup;
mod client;
mod connection;
pub mod fleet;
mod identity;
pub mod identity_file;
mod registration;
mod response;
mod transport_error;

pub use backup::{OpenError, etag};
pub use client::{Client, Deletion, Judged, Registration, Restore, Standing, Upload};
pub use connection::UrlError;
pub use identity::{Identity, SignedHeaders, UnusableMasterKey, random_nonce};
pub use registration::registration_body;
pub use response::Response;
pub use transport_error::TransportError;
