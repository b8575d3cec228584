//! AWS IoT Core's control plane on the loopback interface: things, certificates, policies and their evaluation, durable.
//!
//! [`serve`] answers the REST protocol of the SDKs over a [`Registry`]. A broker of MQTT asks the same registry which
//! certificates may connect and do what. The page `docs/emulators/iot.md` tells what differs from AWS.
//!
//! Source: AWS IoT API Reference; AWS IoT Core Developer Guide.

mod authority;
mod clock;
mod error;
mod input;
mod journal;
mod misbehaviour;
mod operations;
mod page;
mod place;
pub mod policy;
mod record;
mod refusal;
mod registry;
mod routes;
mod server;
mod settings;
mod state;
mod view;
mod x509;

pub use authority::{Authority, ServerIdentity};
pub use error::RegistryError;
pub use misbehaviour::{Propagation, Throttle};
pub use record::CertificateStatus;
pub use registry::Registry;
pub use server::serve;
pub use settings::Settings;
