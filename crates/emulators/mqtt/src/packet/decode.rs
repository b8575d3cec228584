//! Reads packets.

use super::connect_flags as flags;
use super::{
    Connack, Connect, ConnectRefusal, Delivery, PROTOCOL_LEVEL, Packet, PacketError, PacketId, PacketType, Password,
    Publish, QoS, SUBSCRIPTION_FLAGS, Suback, Subscribe, Unsubscribe, Will,
};
use crate::topic::{TopicFilter, TopicName};

impl<'a> Packet<'a> {
    /// Reads the packet at the beginning of `bytes`, and returns it with its length in bytes; `None` if bytes of it are
    /// not there yet.
    ///
    /// `limit` is the greatest remaining length in bytes. A packet is refused with the first byte that shows its fault:
    /// too long a packet as soon as its length is known.
    ///
    /// # Errors
    /// The bytes are not the beginning of a packet, whatever follows.
    pub fn decode(bytes: &'a [u8], limit: usize) -> Result<Option<(Self, usize)>, PacketError> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let (packet_type, flags) = fixed_header(first)?;
        let Some((length, rest)) = remaining_length(rest)? else { return Ok(None) };
        if length > limit {
            return Err(PacketError::TooLong { length, limit });
        }
        let Some((body, rest)) = rest.split_at_checked(length) else { return Ok(None) };
        let mut reader = Reader { rest: body };
        let packet = reader.packet(packet_type, flags)?;
        match reader.rest.len() {
            0 => Ok(Some((packet, bytes.len() - rest.len()))),
            trailing => Err(PacketError::Trailing(trailing)),
        }
    }
}

/// The packet type and the flags of a first byte (MQTT 3.1.1, 2.2).
fn fixed_header(first: u8) -> Result<(PacketType, u8), PacketError> {
    let (number, flags) = (first >> 4, first & 0x0f);
    let packet_type = match number {
        1 => PacketType::Connect,
        2 => PacketType::Connack,
        3 => PacketType::Publish,
        4 => PacketType::Puback,
        5..=7 => return Err(PacketError::QoS2Packet(number)),
        8 => PacketType::Subscribe,
        9 => PacketType::Suback,
        10 => PacketType::Unsubscribe,
        11 => PacketType::Unsuback,
        12 => PacketType::Pingreq,
        13 => PacketType::Pingresp,
        14 => PacketType::Disconnect,
        _ => return Err(PacketError::PacketType(number)),
    };
    let wanted = match packet_type {
        PacketType::Publish => {
            let qos = qos(flags >> 1 & 0b11)?;
            if qos == QoS::AtMostOnce && flags & 0b1000 != 0 {
                return Err(PacketError::Duplicate);
            }
            return Ok((packet_type, flags));
        }
        PacketType::Subscribe | PacketType::Unsubscribe => SUBSCRIPTION_FLAGS,
        _ => 0,
    };
    if flags != wanted {
        return Err(PacketError::Flags { packet_type: number, flags });
    }
    Ok((packet_type, flags))
}

/// The remaining length and the bytes behind it: seven bits a byte, the lowest first (MQTT 3.1.1, 2.2.3).
fn remaining_length(bytes: &[u8]) -> Result<Option<(usize, &[u8])>, PacketError> {
    let mut length = 0;
    for at in 0..4 {
        let Some(&byte) = bytes.get(at) else { return Ok(None) };
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((length, bytes.get(at + 1..).unwrap_or_default())));
        }
    }
    Err(PacketError::LengthEncoding)
}

const fn qos(bits: u8) -> Result<QoS, PacketError> {
    match bits {
        0 => Ok(QoS::AtMostOnce),
        1 => Ok(QoS::AtLeastOnce),
        2 => Ok(QoS::ExactlyOnce),
        _ => Err(PacketError::QoS(bits)),
    }
}

/// The rest of a packet behind its fixed header.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn packet(&mut self, packet_type: PacketType, flags: u8) -> Result<Packet<'a>, PacketError> {
        Ok(match packet_type {
            PacketType::Connect => Packet::Connect(self.connect()?),
            PacketType::Connack => Packet::Connack(self.connack()?),
            PacketType::Publish => Packet::Publish(self.publish(flags)?),
            PacketType::Puback => Packet::Puback(self.packet_id()?),
            PacketType::Subscribe => {
                let id = self.packet_id()?;
                let filters = self.list(|reader| Ok((reader.filter()?, qos(reader.byte()?)?)))?;
                Packet::Subscribe(Subscribe { id, filters })
            }
            PacketType::Suback => {
                let id = self.packet_id()?;
                Packet::Suback(Suback { id, granted: self.list(Self::granted)? })
            }
            PacketType::Unsubscribe => {
                let id = self.packet_id()?;
                Packet::Unsubscribe(Unsubscribe { id, filters: self.list(Self::filter)? })
            }
            PacketType::Unsuback => Packet::Unsuback(self.packet_id()?),
            PacketType::Pingreq => Packet::Pingreq,
            PacketType::Pingresp => Packet::Pingresp,
            PacketType::Disconnect => Packet::Disconnect,
        })
    }

    fn connect(&mut self) -> Result<Connect<'a>, PacketError> {
        let name = self.bytes()?;
        let level = self.byte()?;
        match (name, level) {
            (b"MQTT", PROTOCOL_LEVEL) => {}
            // `MQIsdp` is MQTT 3.1's. What follows has the form of another version.
            (b"MQTT" | b"MQIsdp", level) => {
                self.rest = &[];
                return Err(PacketError::ProtocolLevel(level));
            }
            _ => return Err(PacketError::ProtocolName),
        }
        let bits = self.connect_flags()?;
        let keep_alive = self.u16()?;
        let client_id = self.text()?;
        let will = if bits & flags::WILL != 0 { Some(self.will(bits)?) } else { None };
        let user_name = if bits & flags::USER_NAME != 0 { Some(self.text()?) } else { None };
        let password = if bits & flags::PASSWORD != 0 { Some(Password(self.bytes()?)) } else { None };
        let clean_session = bits & flags::CLEAN_SESSION != 0;
        Ok(Connect { client_id, clean_session, keep_alive, will, user_name, password })
    }

    fn connect_flags(&mut self) -> Result<u8, PacketError> {
        let bits = self.byte()?;
        let is_set = |mask| bits & mask != 0;
        let will_without_flag = !is_set(flags::WILL) && is_set(flags::WILL_QOS | flags::WILL_RETAIN);
        let password_alone = is_set(flags::PASSWORD) && !is_set(flags::USER_NAME);
        let no_qos = bits & flags::WILL_QOS == flags::WILL_QOS;
        if is_set(flags::RESERVED) || will_without_flag || password_alone || no_qos {
            return Err(PacketError::ConnectFlags(bits));
        }
        Ok(bits)
    }

    fn will(&mut self, bits: u8) -> Result<Will<'a>, PacketError> {
        let topic = TopicName::new(self.text()?)?;
        let qos = qos((bits & flags::WILL_QOS) >> flags::WILL_QOS_SHIFT)?;
        Ok(Will { topic, payload: self.bytes()?, qos, retain: bits & flags::WILL_RETAIN != 0 })
    }

    fn connack(&mut self) -> Result<Connack, PacketError> {
        let (present, code) = (self.byte()?, self.byte()?);
        match (present, code) {
            (0 | 1, 0) => Ok(Connack::Accepted { session_present: present == 1 }),
            (0, 1) => Ok(Connack::Refused(ConnectRefusal::ProtocolVersion)),
            (0, 2) => Ok(Connack::Refused(ConnectRefusal::Identifier)),
            (0, 3) => Ok(Connack::Refused(ConnectRefusal::Unavailable)),
            (0, 4) => Ok(Connack::Refused(ConnectRefusal::Credentials)),
            (0, 5) => Ok(Connack::Refused(ConnectRefusal::NotAuthorized)),
            (0, code) => Err(PacketError::Acknowledgement(code)),
            (present, _) => Err(PacketError::Acknowledgement(present)),
        }
    }

    fn publish(&mut self, flags: u8) -> Result<Publish<'a>, PacketError> {
        let topic = TopicName::new(self.text()?)?;
        let dup = flags & 0b1000 != 0;
        let delivery = match qos(flags >> 1 & 0b11)? {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce { id: self.packet_id()?, dup },
            QoS::ExactlyOnce => Delivery::ExactlyOnce { id: self.packet_id()?, dup },
        };
        let payload = std::mem::take(&mut self.rest);
        Ok(Publish { topic, payload, retain: flags & 1 != 0, delivery })
    }

    fn granted(&mut self) -> Result<Option<QoS>, PacketError> {
        match self.byte()? {
            0x80 => Ok(None),
            code => qos(code).map(Some).map_err(|_| PacketError::Acknowledgement(code)),
        }
    }

    /// Everything that is left, at least one.
    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, PacketError>) -> Result<Vec<T>, PacketError> {
        let mut list = Vec::new();
        while !self.rest.is_empty() {
            list.push(read(self)?);
        }
        if list.is_empty() { Err(PacketError::NoFilter) } else { Ok(list) }
    }

    fn filter(&mut self) -> Result<TopicFilter<'a>, PacketError> {
        Ok(TopicFilter::new(self.text()?)?)
    }

    fn packet_id(&mut self) -> Result<PacketId, PacketError> {
        PacketId::new(self.u16()?).ok_or(PacketError::PacketId)
    }

    fn text(&mut self) -> Result<&'a str, PacketError> {
        let text = str::from_utf8(self.bytes()?).map_err(|_| PacketError::Utf8)?;
        if text.contains('\0') { Err(PacketError::Nul) } else { Ok(text) }
    }

    /// Bytes with their length before them.
    fn bytes(&mut self) -> Result<&'a [u8], PacketError> {
        let length = self.u16()?;
        let (bytes, rest) = self.rest.split_at_checked(length.into()).ok_or(PacketError::Short)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn u16(&mut self) -> Result<u16, PacketError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(PacketError::Short)?;
        self.rest = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    fn byte(&mut self) -> Result<u8, PacketError> {
        let (byte, rest) = self.rest.split_first().ok_or(PacketError::Short)?;
        self.rest = rest;
        Ok(*byte)
    }
}
