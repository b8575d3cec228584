//! Sessions begin and end.

use std::sync::Arc;
use std::time::Instant;

use super::{Broker, ConnectionId};
use crate::authority::{Actor, TopicAction};
use crate::closure::Closure;
use crate::connection::{Session, Will};
use crate::limits::{MAX_CLIENT_ID, MAX_PAYLOAD, silence};
use crate::outgoing::Message;
use crate::packet::{self, CONNACK_5_UNSUPPORTED, Connack, Connect, ConnectRefusal, Packet, PacketError, QoS};

/// The protocol level of MQTT 5.
const LEVEL_5: u8 = 5;

impl Broker {
    /// Handles one packet.
    pub(super) fn handle(&mut self, id: ConnectionId, packet: &Packet<'_>, now: Instant) -> Result<(), Closure> {
        match (self.session(id).is_ok(), packet) {
            (false, Packet::Connect(connect)) => self.connect(id, connect)?,
            (false, _) => return Err(Closure::NotConnect),
            (true, Packet::Connect(_)) => return Err(Closure::SecondConnect),
            (true, Packet::Publish(publish)) => self.publish(id, publish, now)?,
            (true, Packet::Puback(acknowledged)) => {
                if let Some(connection) = self.open(id) {
                    connection.outgoing.acknowledge(*acknowledged, now);
                }
                self.announce(id);
            }
            (true, Packet::Subscribe(subscribe)) => self.subscribe(id, subscribe, now)?,
            (true, Packet::Unsubscribe(unsubscribe)) => self.unsubscribe(id, unsubscribe)?,
            (true, Packet::Pingreq) => self.push(id, &Packet::Pingresp),
            (true, Packet::Disconnect) => return Err(Closure::Disconnected),
            (true, Packet::Connack(_) | Packet::Suback(_) | Packet::Unsuback(_) | Packet::Pingresp) => {
                return Err(Closure::ServerPacket);
            }
        }
        if let Some(connection) = self.open(id)
            && let Some(session) = &connection.session
        {
            connection.silent_until = now + session.silence;
        }
        Ok(())
    }

    /// Answers a packet that is malformed, if it is a CONNECT of another version of the protocol.
    pub(super) fn malformed(&mut self, id: ConnectionId, error: PacketError) -> Closure {
        if let PacketError::ProtocolLevel(level) = error
            && let Some(connection) = self.open(id)
            && connection.session.is_none()
        {
            match level {
                LEVEL_5 => connection.outgoing.push_bytes(&CONNACK_5_UNSUPPORTED),
                _ => connection.outgoing.push(&Packet::Connack(Connack::Refused(ConnectRefusal::ProtocolVersion))),
            }
        }
        error.into()
    }

    /// Begins a session. A client that is not authorized gets no CONNACK, and takes no session over.
    fn connect(&mut self, id: ConnectionId, connect: &Connect<'_>) -> Result<(), Closure> {
        let connection = self.open(id).ok_or(Closure::Lost)?;
        let length = connect.client_id.len();
        if length == 0 || length > MAX_CLIENT_ID {
            connection.outgoing.push(&Packet::Connack(Connack::Refused(ConnectRefusal::Identifier)));
            return Err(Closure::ClientId(length));
        }
        let actor = Actor { certificate: Arc::clone(&connection.certificate), client_id: connect.client_id.into() };
        self.authority.connect(&actor, &attributes(connect))?;
        let will = connect.will.as_ref().map(|will| self.will(&actor, will)).transpose()?;
        if let Some(other) = self.clients.get(&actor.client_id).copied() {
            self.close(other, Closure::TakenOver);
        }
        self.clients.insert(Arc::clone(&actor.client_id), id);
        if let Some(connection) = self.open(id) {
            connection.session = Some(Session::new(actor, silence(connect.keep_alive), will));
        }
        self.push(id, &Packet::Connack(Connack::Accepted { session_present: false }));
        Ok(())
    }

    /// Judges the will of CONNECT.
    fn will(&self, actor: &Actor, will: &packet::Will<'_>) -> Result<Will, Closure> {
        if will.qos == QoS::ExactlyOnce {
            return Err(Closure::QoS2);
        }
        if !will.topic.is_within_quotas() {
            return Err(Closure::Quota("the topic of a will"));
        }
        if will.payload.len() > MAX_PAYLOAD {
            return Err(Closure::Quota("the payload of a will"));
        }
        self.may_publish(actor, will.topic, will.retain)?;
        Ok(Will { message: Arc::new(Message::new(will.topic, will.payload, will.qos)), retain: will.retain })
    }

    /// Ends a session and, once the driver has written what is ready, the connection.
    pub(super) fn close(&mut self, id: ConnectionId, closure: Closure) {
        let Some(connection) = self.open(id) else { return };
        connection.input = Vec::new();
        connection.outgoing.end(closure.is_abrupt());
        connection.closure = Some(closure.clone());
        match connection.session.take() {
            Some(session) => self.end_session(id, session, &closure),
            None => tracing::info!(reason = %closure, "MQTT: a connection ends without a session"),
        }
        self.announce(id);
    }

    fn end_session(&mut self, id: ConnectionId, session: Session, closure: &Closure) {
        let Session { actor, subscriptions, will, .. } = session;
        tracing::info!(client_id = %actor.client_id, reason = %closure, "MQTT: a session ends");
        for filter in subscriptions.keys() {
            self.unindex(id, filter);
        }
        if self.clients.get(&actor.client_id) == Some(&id) {
            self.clients.remove(&actor.client_id);
        }
        if let Some(will) = will.filter(|_| *closure != Closure::Disconnected) {
            self.wills.push_back((actor, will));
        }
    }

    /// Publishes the wills of the sessions that have ended, as far as they are authorized now. That may end further
    /// sessions, whose wills follow.
    pub(super) fn settle(&mut self, now: Instant) {
        while let Some((actor, Will { message, retain })) = self.wills.pop_front() {
            match self.may_publish(&actor, message.topic(), retain) {
                Ok(()) => self.route(&message, retain, now),
                Err(refusal) => tracing::info!(client_id = %actor.client_id, reason = %refusal, "MQTT: no will"),
            }
        }
    }

    fn may_publish(&self, actor: &Actor, topic: crate::topic::TopicName<'_>, retain: bool) -> Result<(), Closure> {
        for action in [TopicAction::Publish].into_iter().chain(retain.then_some(TopicAction::RetainPublish)) {
            if !self.authority.topic(actor, action, topic) {
                return Err(action.denied(topic));
            }
        }
        Ok(())
    }
}

/// The values of `iot:ConnectAttributes` (AWS IoT Core Developer Guide, "Connect policy examples").
fn attributes(connect: &Connect<'_>) -> Vec<&'static str> {
    let persistent = (!connect.clean_session).then_some("PersistentConnect");
    let will = connect.will.is_some().then_some("LastWill");
    persistent.into_iter().chain(will).collect()
}
