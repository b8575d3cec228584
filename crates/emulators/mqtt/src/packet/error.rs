//! The error of a malformed packet.

use crate::topic::TopicError;

/// The reasons for which bytes are not a packet of MQTT 3.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// The packet types 0 and 15 are reserved.
    #[error("packet type {0} is reserved")]
    PacketType(u8),
    /// PUBREC, PUBREL and PUBCOMP belong to QoS 2.
    #[error("packet type {0} belongs to QoS 2, which is not supported")]
    QoS2Packet(u8),
    /// The flags of the first byte are not those of the packet type (MQTT-2.2.2-2).
    #[error("a packet of type {packet_type} has the flags {flags:#06b}")]
    Flags {
        /// The packet type.
        packet_type: u8,
        /// The lower four bits of the first byte.
        flags: u8,
    },
    /// A fourth byte of the remaining length announces a fifth.
    #[error("the remaining length has more than four bytes")]
    LengthEncoding,
    /// The packet, or a part of it, is longer than it may be.
    #[error("{length} bytes are more than {limit}")]
    TooLong {
        /// The length in bytes.
        length: usize,
        /// The greatest length in bytes.
        limit: usize,
    },
    /// A field reaches beyond the remaining length.
    #[error("the packet ends within a field")]
    Short,
    /// Bytes are left behind the last field.
    #[error("{0} bytes follow the last field")]
    Trailing(usize),
    /// A text is not UTF-8 (MQTT-1.5.3-1).
    #[error("a text is not UTF-8")]
    Utf8,
    /// A text has the character U+0000 (MQTT-1.5.3-2).
    #[error("a text has the character U+0000")]
    Nul,
    /// The packet id is 0 (MQTT-2.3.1-1).
    #[error("the packet id is 0")]
    PacketId,
    /// A topic name or a topic filter is malformed.
    #[error("a topic is malformed: {0}")]
    Topic(#[from] TopicError),
    /// A quality of service of 3, or reserved bits beside it (MQTT-3.3.1-4, MQTT-3-8.3-4).
    #[error("{0:#04x} is not a quality of service")]
    QoS(u8),
    /// A message of QoS 0 is marked as sent before (MQTT-3.3.1-2).
    #[error("a message of QoS 0 is a duplicate")]
    Duplicate,
    /// The protocol name is not `MQTT`, nor that of MQTT 3.1.
    #[error("the protocol name is unknown")]
    ProtocolName,
    /// The protocol level is not that of MQTT 3.1.1 (MQTT-3.1.2-2).
    #[error("protocol level {0} is not supported")]
    ProtocolLevel(u8),
    /// The reserved flag of CONNECT is set, or flags contradict each other (MQTT-3.1.2-3, -11 to -15, -22).
    #[error("CONNECT has the flags {0:#010b}")]
    ConnectFlags(u8),
    /// SUBSCRIBE, SUBACK or UNSUBSCRIBE has no topic (MQTT-3.8.3-3, MQTT-3.10.3-2).
    #[error("the packet has no topic filter")]
    NoFilter,
    /// The flags or the return code of CONNACK or SUBACK do not exist.
    #[error("{0:#04x} is not an acknowledgement")]
    Acknowledgement(u8),
}
