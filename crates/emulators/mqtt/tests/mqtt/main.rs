//! The broker: its packets, its state on a driven clock, and the whole of it over TLS.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a failed step of a test is a failed test; its modules share what is public"
)]

mod authorization;
mod client;
mod connecting;
mod deadlines;
mod driven;
mod malformed;
mod packets;
mod publishing;
mod random;
mod retained;
mod server;
mod slow_clients;
mod subscribing;
mod tls;
mod topics;
mod world;
