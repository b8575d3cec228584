//! AWS IoT Core's MQTT broker on the loopback interface: mutual TLS, policies judged at each packet.
//!
//! [`packet`] and [`topic`] are the protocol, [`broker`] is the state of all sessions: bytes and the time go in, bytes,
//! closures and the next deadline come out, and nothing of it does I/O. [`serve`] drives it over TLS. Who may connect,
//! publish and subscribe is decided by an [`emulator_iot::Registry`]. The page `docs/emulators/mqtt.md` tells what differs
//! from AWS.
//!
//! Source: MQTT 3.1.1 (OASIS, 2014); AWS IoT Core Developer Guide, "Device communication protocols", and its quotas.

mod authority;
pub mod broker;
mod closure;
mod connection;
mod limits;
mod outgoing;
pub mod packet;
mod retained;
mod server;
mod subscriptions;
mod tls;
pub mod topic;

pub use closure::Closure;
pub use limits::Limits;
pub use server::serve;
pub use tls::ServeError;
