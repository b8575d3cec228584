//! The state of one connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::authority::{Actor, Authority, Decisions, TopicAction};
use crate::closure::Closure;
use crate::limits::Limits;
use crate::outgoing::{Message, Outgoing};
use crate::packet::QoS;
use crate::topic::TopicName;

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Lower-case hex SHA-256 of the certificate.
    pub(crate) certificate: Arc<str>,
    /// The beginning of a packet whose end is not there yet.
    pub(crate) input: Vec<u8>,
    /// The session, between CONNECT and the end.
    pub(crate) session: Option<Session>,
    pub(crate) outgoing: Outgoing,
    /// The time by which a packet must come.
    pub(crate) silent_until: Instant,
    /// The earliest time for which the broker has noted this connection.
    pub(crate) noted: Option<Instant>,
    /// The reason for which the connection ends.
    pub(crate) closure: Option<Closure>,
    /// The driver was told that there is something to do.
    pub(crate) is_announced: bool,
}

/// The state that CONNECT begins.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) actor: Actor,
    /// The longest time without a packet.
    pub(crate) silence: Duration,
    pub(crate) subscriptions: BTreeMap<Box<str>, QoS>,
    pub(crate) will: Option<Will>,
    decisions: Decisions,
}

/// The message to publish when the connection ends without DISCONNECT.
#[derive(Debug)]
pub(crate) struct Will {
    pub(crate) message: Arc<Message>,
    pub(crate) retain: bool,
}

impl Connection {
    pub(crate) const fn new(certificate: Arc<str>, silent_until: Instant) -> Self {
        Self {
            certificate,
            input: Vec::new(),
            session: None,
            outgoing: Outgoing::new(),
            silent_until,
            noted: None,
            closure: None,
            is_announced: false,
        }
    }

    /// The next time at which the connection needs attention; `None` once it ends.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        if self.closure.is_some() {
            return None;
        }
        Some(self.outgoing.deadline(limits).map_or(self.silent_until, |other| other.min(self.silent_until)))
    }

    /// The reason to end the connection at this time.
    pub(crate) fn overdue(&self, limits: &Limits, now: Instant) -> Option<Closure> {
        if self.outgoing.is_stalled(limits, now) {
            return Some(Closure::Stalled);
        }
        let silent = if self.session.is_some() { Closure::KeepAlive } else { Closure::NoConnect };
        (self.silent_until <= now).then_some(silent)
    }
}

impl Session {
    pub(crate) fn new(actor: Actor, silence: Duration, will: Option<Will>) -> Self {
        Self { actor, silence, subscriptions: BTreeMap::new(), will, decisions: Decisions::default() }
    }

    /// Judges an action on a topic.
    pub(crate) fn may(&mut self, authority: &Authority, action: TopicAction, topic: TopicName<'_>) -> bool {
        self.decisions.topic(authority, &self.actor, action, topic)
    }
}
