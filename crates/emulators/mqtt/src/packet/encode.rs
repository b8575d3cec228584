//! Writes packets.

use super::connect_flags as flags;
use super::{
    Connack, Connect, Delivery, MAX_REMAINING_LENGTH, PROTOCOL_LEVEL, Packet, PacketError, PacketId, PacketType,
    Publish, QoS, SUBSCRIPTION_FLAGS, Suback, Subscribe, Unsubscribe,
};

/// The bytes of a fixed header at most: the first byte and four of the remaining length.
const MAX_HEADER_LENGTH: usize = 5;

impl Packet<'_> {
    /// Appends the packet to `out`.
    ///
    /// # Errors
    /// A text or a payload is longer than the format can tell, or a text has U+0000. `out` is then as before.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), PacketError> {
        let start = out.len();
        let written = self.write(out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), PacketError> {
        match self {
            Self::Connect(connect) => framed(out, first(PacketType::Connect, 0), |out| connect.write(out)),
            Self::Connack(Connack::Accepted { session_present }) => {
                short(out, PacketType::Connack, &[u8::from(*session_present), 0])
            }
            Self::Connack(Connack::Refused(refusal)) => short(out, PacketType::Connack, &[0, *refusal as u8]),
            Self::Publish(publish) => publish.write(out),
            Self::Puback(id) => short(out, PacketType::Puback, &id.get().to_be_bytes()),
            Self::Subscribe(subscribe) => {
                framed(out, first(PacketType::Subscribe, SUBSCRIPTION_FLAGS), |out| subscribe.write(out))
            }
            Self::Suback(suback) => framed(out, first(PacketType::Suback, 0), |out| suback.write(out)),
            Self::Unsubscribe(unsubscribe) => {
                framed(out, first(PacketType::Unsubscribe, SUBSCRIPTION_FLAGS), |out| unsubscribe.write(out))
            }
            Self::Unsuback(id) => short(out, PacketType::Unsuback, &id.get().to_be_bytes()),
            Self::Pingreq => short(out, PacketType::Pingreq, &[]),
            Self::Pingresp => short(out, PacketType::Pingresp, &[]),
            Self::Disconnect => short(out, PacketType::Disconnect, &[]),
        }
    }
}

impl Connect<'_> {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), PacketError> {
        write_text(out, "MQTT")?;
        out.push(PROTOCOL_LEVEL);
        let flag = |is_set, mask| if is_set { mask } else { 0 };
        let will = self.will.as_ref().map_or(0, |will| {
            flags::WILL | (will.qos as u8) << flags::WILL_QOS_SHIFT | flag(will.retain, flags::WILL_RETAIN)
        });
        let credentials =
            flag(self.user_name.is_some(), flags::USER_NAME) | flag(self.password.is_some(), flags::PASSWORD);
        if self.password.is_some() && self.user_name.is_none() {
            return Err(PacketError::ConnectFlags(credentials));
        }
        out.push(will | credentials | flag(self.clean_session, flags::CLEAN_SESSION));
        out.extend(self.keep_alive.to_be_bytes());
        write_text(out, self.client_id)?;
        if let Some(will) = &self.will {
            write_text(out, will.topic.as_str())?;
            write_bytes(out, will.payload)?;
        }
        if let Some(user_name) = self.user_name {
            write_text(out, user_name)?;
        }
        if let Some(password) = self.password {
            write_bytes(out, password.0)?;
        }
        Ok(())
    }
}

impl Publish<'_> {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), PacketError> {
        let (qos, id, dup) = match self.delivery {
            Delivery::AtMostOnce => (QoS::AtMostOnce, None, false),
            Delivery::AtLeastOnce { id, dup } => (QoS::AtLeastOnce, Some(id), dup),
            Delivery::ExactlyOnce { id, dup } => (QoS::ExactlyOnce, Some(id), dup),
        };
        let flags = u8::from(dup) << 3 | (qos as u8) << 1 | u8::from(self.retain);
        let length = 2 + self.topic.as_str().len() + id.map_or(0, |_| 2) + self.payload.len();
        out.reserve(MAX_HEADER_LENGTH + length);
        out.push(first(PacketType::Publish, flags));
        write_length(out, length)?;
        write_text(out, self.topic.as_str())?;
        if let Some(id) = id {
            write_id(out, id);
        }
        out.extend_from_slice(self.payload);
        Ok(())
    }
}

impl Subscribe<'_> {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), PacketError> {
        write_id(out, self.id);
        for (filter, qos) in &self.filters {
            write_text(out, filter.as_str())?;
            out.push(*qos as u8);
        }
        if self.filters.is_empty() { Err(PacketError::NoFilter) } else { Ok(()) }
    }
}

impl Suback {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), PacketError> {
        write_id(out, self.id);
        out.extend(self.granted.iter().map(|granted| granted.map_or(0x80, |qos| qos as u8)));
        if self.granted.is_empty() { Err(PacketError::NoFilter) } else { Ok(()) }
    }
}

impl Unsubscribe<'_> {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), PacketError> {
        write_id(out, self.id);
        for filter in &self.filters {
            write_text(out, filter.as_str())?;
        }
        if self.filters.is_empty() { Err(PacketError::NoFilter) } else { Ok(()) }
    }
}

const fn first(packet_type: PacketType, flags: u8) -> u8 {
    (packet_type as u8) << 4 | flags
}

/// Writes a packet without flags whose body is as short as here.
fn short(out: &mut Vec<u8>, packet_type: PacketType, body: &[u8]) -> Result<(), PacketError> {
    out.push(first(packet_type, 0));
    write_length(out, body.len())?;
    out.extend_from_slice(body);
    Ok(())
}

/// Writes the first byte, and the body with its length before it.
fn framed(
    out: &mut Vec<u8>,
    first: u8,
    body: impl FnOnce(&mut Vec<u8>) -> Result<(), PacketError>,
) -> Result<(), PacketError> {
    let mut bytes = Vec::new();
    body(&mut bytes)?;
    out.push(first);
    write_length(out, bytes.len())?;
    out.append(&mut bytes);
    Ok(())
}

fn write_length(out: &mut Vec<u8>, length: usize) -> Result<(), PacketError> {
    if length > MAX_REMAINING_LENGTH {
        return Err(PacketError::TooLong { length, limit: MAX_REMAINING_LENGTH });
    }
    let mut rest = length;
    loop {
        let [low, ..] = (rest & 0x7f).to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return Ok(());
        }
        out.push(low | 0x80);
    }
}

fn write_id(out: &mut Vec<u8>, id: PacketId) {
    out.extend(id.get().to_be_bytes());
}

fn write_text(out: &mut Vec<u8>, text: &str) -> Result<(), PacketError> {
    if text.contains('\0') {
        return Err(PacketError::Nul);
    }
    write_bytes(out, text.as_bytes())
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), PacketError> {
    let too_long = PacketError::TooLong { length: bytes.len(), limit: u16::MAX.into() };
    let length = u16::try_from(bytes.len()).map_err(|_| too_long)?;
    out.extend(length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}
