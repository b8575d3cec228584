//! The reasons for which a connection ends.

use crate::packet::PacketError;

/// The reason for which the broker ends a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closure {
    /// The client has sent DISCONNECT: its will is not published.
    #[error("the client has disconnected")]
    Disconnected,
    /// The network connection has ended.
    #[error("the connection has ended")]
    Lost,
    /// The client has sent something that is not a packet.
    #[error("a packet is malformed: {0}")]
    Malformed(#[from] PacketError),
    /// The first packet is not CONNECT (MQTT-3.1.0-1).
    #[error("the first packet is not CONNECT")]
    NotConnect,
    /// A session has begun already (MQTT-3.1.0-2).
    #[error("a second CONNECT")]
    SecondConnect,
    /// Only a server sends this packet.
    #[error("a packet that only a server sends")]
    ServerPacket,
    /// The client identifier is empty or too long.
    #[error("the client identifier has {0} bytes, not 1 to 128")]
    ClientId(usize),
    /// AWS IoT Core has no QoS 2.
    #[error("a message or will of QoS 2")]
    QoS2,
    /// A quota of AWS IoT Core is exceeded.
    #[error("a quota is exceeded: {0}")]
    Quota(&'static str),
    /// The policies of the certificate do not allow it.
    #[error("not authorized: {action} on {resource}")]
    Denied {
        /// The action, such as `iot:Publish`.
        action: &'static str,
        /// The client id, topic or topic filter.
        resource: String,
    },
    /// The certificate is not ACTIVE any more.
    #[error("the certificate is not ACTIVE")]
    Inactive,
    /// Another connection has this client id now.
    #[error("another connection has the client id")]
    TakenOver,
    /// No CONNECT has come in time.
    #[error("no CONNECT in time")]
    NoConnect,
    /// No packet has come for one and a half times the keep-alive.
    #[error("no packet within one and a half times the keep-alive")]
    KeepAlive,
    /// The client does not take what was written.
    #[error("the client does not read")]
    Stalled,
    /// Too many bytes wait for the client.
    #[error("too much waits for the client")]
    Full,
}

impl Closure {
    /// Returns `true` if nothing more is sent, not even what was ready.
    pub(crate) const fn is_abrupt(&self) -> bool {
        matches!(self, Self::Lost | Self::Inactive | Self::TakenOver | Self::Stalled | Self::Full)
    }
}
