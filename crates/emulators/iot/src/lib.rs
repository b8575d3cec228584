//! AWS IoT Core's control plane on the loopback interface: things, certificates, policies and their evaluation, durable.
//!
//! [`serve`] answers the REST protocol that the SDKs speak, over a [`Registry`], which a broker of MQTT may ask as well. The
//! page `docs/emulators/iot.md` tells what differs from AWS.
//!
//! Source: AWS IoT API Reference.

pub mod policy;
mod record;
mod registry;
mod server;

pub use record::CertificateStatus;
pub use registry::Registry;
pub use server::serve;
