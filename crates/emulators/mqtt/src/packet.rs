//! The control packets of MQTT 3.1.1.
//!
//! [`Packet::decode`] reads one from the beginning of received bytes and refuses everything that the standard calls
//! malformed. [`Packet::encode`] writes one. The packets of QoS 2 (PUBREC, PUBREL, PUBCOMP) are refused by name: AWS IoT
//! Core does not have them. Numbers are big-endian, texts have a length of two bytes before them.
//!
//! Source: MQTT 3.1.1, chapters 2 and 3.

mod decode;
mod encode;
mod error;

use std::fmt;
use std::num::NonZeroU16;

use crate::topic::{TopicFilter, TopicName};

pub use error::PacketError;

/// The largest remaining length in bytes that four bytes can tell (MQTT 3.1.1, 2.2.3).
pub const MAX_REMAINING_LENGTH: usize = 268_435_455;

/// The protocol level of MQTT 3.1.1 (MQTT 3.1.1, 3.1.2.2).
pub const PROTOCOL_LEVEL: u8 = 4;

/// The CONNACK of MQTT 5 that says "Unsupported Protocol Version" (MQTT 5.0, 3.2.2.2): its length, no session, reason
/// code 0x84, no properties.
pub const CONNACK_5_UNSUPPORTED: [u8; 5] = [0x20, 0x03, 0x00, 0x84, 0x00];

/// A control packet. Its texts and payloads are those of the bytes that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A client asks for a session.
    Connect(Connect<'a>),
    /// The server's answer to CONNECT.
    Connack(Connack),
    /// A message.
    Publish(Publish<'a>),
    /// The receiver of a message of QoS 1 has it.
    Puback(PacketId),
    /// A client asks for the messages of topics.
    Subscribe(Subscribe<'a>),
    /// The server's answer to SUBSCRIBE.
    Suback(Suback),
    /// A client gives up subscriptions.
    Unsubscribe(Unsubscribe<'a>),
    /// The server's answer to UNSUBSCRIBE.
    Unsuback(PacketId),
    /// A client asks for a sign of life.
    Pingreq,
    /// The server's answer to PINGREQ.
    Pingresp,
    /// A client takes its leave.
    Disconnect,
}

/// The number by which PUBLISH, SUBSCRIBE or UNSUBSCRIBE is answered; never 0 (MQTT-2.3.1-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(pub NonZeroU16);

/// The quality of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum QoS {
    /// QoS 0.
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce,
    /// QoS 2.
    ExactlyOnce,
}

/// CONNECT (MQTT 3.1.1, 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The client identifier; may be empty.
    pub client_id: &'a str,
    /// `false` if the client wants to go on with an earlier session.
    pub clean_session: bool,
    /// Most seconds between two packets of the client; 0 for no limit.
    pub keep_alive: u16,
    /// The message to publish when the connection ends without DISCONNECT.
    pub will: Option<Will<'a>>,
    /// The user name.
    pub user_name: Option<&'a str>,
    /// The password, which a user name must accompany.
    pub password: Option<Password<'a>>,
}

/// A will message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will<'a> {
    /// Its topic.
    pub topic: TopicName<'a>,
    /// Its payload, at most 65,535 bytes.
    pub payload: &'a [u8],
    /// Its quality of service.
    pub qos: QoS,
    /// The server keeps it.
    pub retain: bool,
}

/// The password of CONNECT, at most 65,535 bytes. Its `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Password<'a>(pub &'a [u8]);

impl fmt::Debug for Password<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// CONNACK (MQTT 3.1.1, 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connack {
    /// The connection is accepted.
    Accepted {
        /// The server goes on with an earlier session.
        session_present: bool,
    },
    /// The connection is refused.
    Refused(ConnectRefusal),
}

/// The return codes of CONNACK other than 0 (MQTT 3.1.1, table 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectRefusal {
    /// 1: the server does not speak this level of the protocol.
    ProtocolVersion = 1,
    /// 2: the client identifier is not allowed.
    Identifier = 2,
    /// 3: the service is not available.
    Unavailable = 3,
    /// 4: user name or password are malformed.
    Credentials = 4,
    /// 5: the client is not authorised.
    NotAuthorized = 5,
}

/// PUBLISH (MQTT 3.1.1, 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish<'a> {
    /// The topic of the message.
    pub topic: TopicName<'a>,
    /// The message.
    pub payload: &'a [u8],
    /// From a client: the server keeps the message. From the server: it was kept before the subscription was made.
    pub retain: bool,
    /// The quality of service with what belongs to it.
    pub delivery: Delivery,
}

/// The quality of service of one PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// QoS 0.
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce {
        /// The number to be acknowledged.
        id: PacketId,
        /// The packet was sent before.
        dup: bool,
    },
    /// QoS 2.
    ExactlyOnce {
        /// The number to be acknowledged.
        id: PacketId,
        /// The packet was sent before.
        dup: bool,
    },
}

/// SUBSCRIBE (MQTT 3.1.1, 3.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// The number to be acknowledged.
    pub id: PacketId,
    /// At least one filter, each with the highest quality of service wanted.
    pub filters: Vec<(TopicFilter<'a>, QoS)>,
}

/// SUBACK (MQTT 3.1.1, 3.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suback {
    /// The number of the SUBSCRIBE.
    pub id: PacketId,
    /// For each filter the quality of service that is granted; `None` for a failure.
    pub granted: Vec<Option<QoS>>,
}

/// UNSUBSCRIBE (MQTT 3.1.1, 3.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// The number to be acknowledged.
    pub id: PacketId,
    /// At least one filter.
    pub filters: Vec<TopicFilter<'a>>,
}

/// The packet types that have bits for flags in common (MQTT 3.1.1, table 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PacketType {
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Subscribe = 8,
    Suback = 9,
    Unsubscribe = 10,
    Unsuback = 11,
    Pingreq = 12,
    Pingresp = 13,
    Disconnect = 14,
}

/// The flags of SUBSCRIBE and UNSUBSCRIBE (MQTT-3.8.1-1, MQTT-3.10.1-1).
const SUBSCRIPTION_FLAGS: u8 = 0b0010;

/// The bits of CONNECT's flags (MQTT 3.1.1, 3.1.2.3).
mod connect_flags {
    pub(super) const RESERVED: u8 = 0b0000_0001;
    pub(super) const CLEAN_SESSION: u8 = 0b0000_0010;
    pub(super) const WILL: u8 = 0b0000_0100;
    pub(super) const WILL_QOS_SHIFT: u8 = 3;
    pub(super) const WILL_QOS: u8 = 0b0001_1000;
    pub(super) const WILL_RETAIN: u8 = 0b0010_0000;
    pub(super) const PASSWORD: u8 = 0b0100_0000;
    pub(super) const USER_NAME: u8 = 0b1000_0000;
}

impl PacketId {
    /// Returns `None` for 0.
    #[must_use]
    pub const fn new(id: u16) -> Option<Self> {
        match NonZeroU16::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}
