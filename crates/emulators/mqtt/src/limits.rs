//! The limits of the broker.

use std::time::Duration;

/// Largest payload in bytes, a quota of AWS IoT Core.
pub(crate) const MAX_PAYLOAD: usize = 128 * 1024;

/// Largest remaining length of a packet in bytes: a payload, and what may stand before it.
pub(crate) const MAX_PACKET: usize = MAX_PAYLOAD + 4 * 1024;

/// Longest client id in bytes, a quota of AWS IoT Core.
pub(crate) const MAX_CLIENT_ID: usize = 128;

/// Most filters of a SUBSCRIBE or an UNSUBSCRIBE, a quota of AWS IoT Core.
pub(crate) const MAX_FILTERS: usize = 8;

/// Most subscriptions of a session, a quota of AWS IoT Core.
pub(crate) const MAX_SUBSCRIPTIONS: usize = 50;

/// Most messages of QoS 1 that a client has not acknowledged, a quota of AWS IoT Core.
pub(crate) const MAX_IN_FLIGHT: usize = 100;

/// The shortest and the longest keep-alive in seconds, quotas of AWS IoT Core.
const KEEP_ALIVE: (u16, u16) = (30, 1_200);

/// The deadlines of a connection, and what the broker holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most connections at a time; others wait in the listener's backlog.
    pub connections: usize,
    /// From the connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the end of the handshake to the end of CONNECT.
    pub connect: Duration,
    /// The time in which a client takes what was written at once.
    pub stall: Duration,
    /// The time after which a message of QoS 1 that is not acknowledged is sent again.
    pub redelivery: Duration,
    /// Most bytes that wait for one client. Beyond them messages of QoS 0 are lost, and one of QoS 1 ends the session.
    pub waiting: usize,
    /// Most bytes of retained messages. Beyond them a message is delivered but not kept.
    pub retained: usize,
}

impl Default for Limits {
    /// 512 connections, 10 s for the handshake, 10 s for CONNECT, 30 s for what was written, 30 s for an
    /// acknowledgement, 1 MiB a client, 64 MiB of retained messages.
    fn default() -> Self {
        Self {
            connections: 512,
            handshake: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            redelivery: Duration::from_secs(30),
            waiting: 1024 * 1024,
            retained: 64 * 1024 * 1024,
        }
    }
}

/// The time without a packet of the client after which its session ends: one and a half times the keep-alive that it asks
/// for, within AWS IoT Core's bounds. 0 stands for the longest.
pub(crate) fn silence(keep_alive_seconds: u16) -> Duration {
    let (shortest, longest) = KEEP_ALIVE;
    let seconds = if keep_alive_seconds == 0 { longest } else { keep_alive_seconds.clamp(shortest, longest) };
    Duration::from_secs(seconds.into()) * 3 / 2
}
