//! A FireFly controller without the hardware: its identity, its signatures, its sealed backups, its requests.
//!
//! What this crate sends is what the firmware sends, byte for byte; what it accepts is what the firmware accepts.
//! Time and randomness come in as arguments.
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
//! let answer = cloud.upload(&signed, &envelope, Some(&etag(configuration))).await?;
//! assert_eq!(answer.response.status, 200);
//! # Ok(())
//! # }
//! ```

mod backup;
mod client;
mod connection;
pub mod fleet;
mod hex;
mod identity;
pub mod identity_file;
mod registration;
mod response;

pub use backup::{OpenError, etag};
pub use client::{Answer, Client, Deletion, Registration, Restore, Standing, Upload};
pub use connection::{TransportError, UrlError};
pub use identity::{Identity, SignedHeaders, UnusableMasterKey, random_nonce};
pub use registration::registration_body;
pub use response::Response;
