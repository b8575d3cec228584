//! Messages come and go.

use std::sync::Arc;
use std::time::Instant;

use super::{Broker, ConnectionId};
use crate::authority::TopicAction;
use crate::closure::Closure;
use crate::limits::MAX_PAYLOAD;
use crate::outgoing::Message;
use crate::packet::{Delivery, Packet, Publish, QoS};

impl Broker {
    /// Handles PUBLISH: it is acknowledged once every subscriber's queue has the message.
    pub(super) fn publish(&mut self, id: ConnectionId, publish: &Publish<'_>, now: Instant) -> Result<(), Closure> {
        let (qos, acknowledged) = match publish.delivery {
            Delivery::AtMostOnce => (QoS::AtMostOnce, None),
            Delivery::AtLeastOnce { id, .. } => (QoS::AtLeastOnce, Some(id)),
            Delivery::ExactlyOnce { .. } => return Err(Closure::QoS2),
        };
        let Publish { topic, payload, retain, .. } = *publish;
        if !topic.is_within_quotas() {
            return Err(Closure::Quota("the topic of a message"));
        }
        if payload.len() > MAX_PAYLOAD {
            return Err(Closure::Quota("the payload of a message"));
        }
        self.authorize(id, TopicAction::Publish, publish)?;
        if retain {
            self.authorize(id, TopicAction::RetainPublish, publish)?;
        }
        let subscribers = self.subscriptions.of(topic);
        if retain || !subscribers.is_empty() {
            let message = Arc::new(Message::new(topic, payload, qos));
            self.spread(&message, retain, subscribers, now);
        }
        if let Some(acknowledged) = acknowledged {
            self.push(id, &Packet::Puback(acknowledged));
        }
        Ok(())
    }

    fn authorize(&mut self, id: ConnectionId, action: TopicAction, publish: &Publish<'_>) -> Result<(), Closure> {
        let connection = self.connections.get_mut(&id);
        let session = connection.and_then(|connection| connection.session.as_mut()).ok_or(Closure::Lost)?;
        if session.may(&self.authority, action, publish.topic) { Ok(()) } else { Err(action.denied(publish.topic)) }
    }

    /// Gives a message to its subscribers.
    pub(super) fn route(&mut self, message: &Arc<Message>, retain: bool, now: Instant) {
        let subscribers = self.subscriptions.of(message.topic());
        self.spread(message, retain, subscribers, now);
    }

    fn spread(&mut self, message: &Arc<Message>, retain: bool, subscribers: Vec<(ConnectionId, QoS)>, now: Instant) {
        if retain {
            self.retained.keep(message, self.limits.retained);
        }
        for (subscriber, granted) in subscribers {
            self.deliver(subscriber, message, granted, false, now);
        }
    }

    /// Gives a message to one subscriber, if it may receive it. `kept` is `true` for a message that was retained before
    /// the subscription was made (MQTT-3.3.1-8, MQTT-3.3.1-9).
    pub(super) fn deliver(&mut self, id: ConnectionId, message: &Arc<Message>, granted: QoS, kept: bool, now: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(session) = &mut connection.session else { return };
        if !session.may(&self.authority, TopicAction::Receive, message.topic()) {
            return;
        }
        match connection.outgoing.deliver(message, granted, kept, &self.limits, now) {
            Ok(()) => self.announce(id),
            Err(_) => self.close(id, Closure::Full),
        }
        self.note(id);
    }
}
