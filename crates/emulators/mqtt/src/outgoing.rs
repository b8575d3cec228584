//! The packets for one client: those that are ready, those that wait, and those that are not acknowledged.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::limits::{Limits, MAX_IN_FLIGHT};
use crate::packet::{Delivery, Packet, PacketId, Publish, QoS};
use crate::topic::{OwnedTopicName, TopicName};

/// Bytes that are made ready before the client has taken some.
const READY: usize = 64 * 1024;

/// Bytes that a waiting message takes beside its text and payload.
const ENTRY: usize = 64;

/// A published message.
#[derive(Debug)]
pub(crate) struct Message {
    topic: OwnedTopicName,
    payload: Box<[u8]>,
    /// 0 or 1.
    qos: QoS,
}

/// Too many bytes wait for the client.
#[derive(Debug)]
pub(crate) struct Full;

/// The packets for one client.
#[derive(Debug)]
pub(crate) struct Outgoing {
    ready: Vec<u8>,
    writing: Option<Writing>,
    waiting: VecDeque<Waiting>,
    in_flight: VecDeque<InFlight>,
    /// Bytes of the messages that wait or are in flight.
    held: usize,
    last_id: u16,
}

/// The bytes that the driver writes.
#[derive(Debug)]
struct Writing {
    length: usize,
    since: Instant,
}

#[derive(Debug)]
struct Waiting {
    message: Arc<Message>,
    qos: QoS,
    retain: bool,
    /// Bytes that count as held.
    cost: usize,
}

/// A message of QoS 1 that was sent, in the order of the sending.
#[derive(Debug)]
struct InFlight {
    id: PacketId,
    sent: Instant,
    waiting: Waiting,
}

impl Message {
    pub(crate) fn new(topic: TopicName<'_>, payload: &[u8], qos: QoS) -> Self {
        Self { topic: topic.owned(), payload: payload.into(), qos }
    }

    pub(crate) const fn topic(&self) -> TopicName<'_> {
        self.topic.name()
    }

    pub(crate) const fn qos(&self) -> QoS {
        self.qos
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// Bytes of memory, roughly.
    pub(crate) fn size(&self) -> usize {
        ENTRY + self.topic().as_str().len() + self.payload.len()
    }
}

impl Outgoing {
    pub(crate) const fn new() -> Self {
        Self {
            ready: Vec::new(),
            writing: None,
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            held: 0,
            last_id: 0,
        }
    }

    /// Makes bytes ready.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.ready.extend_from_slice(bytes);
    }

    /// Makes a packet ready.
    pub(crate) fn push(&mut self, packet: &Packet<'_>) {
        if let Err(error) = packet.encode(&mut self.ready) {
            // Every packet of the broker's own is short, and a message was once received.
            tracing::error!(cause = %error, "a packet could not be written");
        }
    }

    /// Adds a message. `kept` is `true` if it was retained: then the client's queue is not what keeps its bytes.
    ///
    /// # Errors
    /// A message of QoS 1 has no place. One of QoS 0 is lost.
    pub(crate) fn deliver(
        &mut self,
        message: &Arc<Message>,
        granted: QoS,
        kept: bool,
        limits: &Limits,
        now: Instant,
    ) -> Result<(), Full> {
        let qos = message.qos().min(granted);
        let cost = if kept { ENTRY } else { message.size() };
        let unwritten = self.ready.len() + self.writing.as_ref().map_or(0, |writing| writing.length);
        if self.held + unwritten + cost > limits.waiting {
            return if qos == QoS::AtMostOnce { Ok(()) } else { Err(Full) };
        }
        self.held += cost;
        self.waiting.push_back(Waiting { message: Arc::clone(message), qos, retain: kept, cost });
        self.fill(now);
        Ok(())
    }

    /// Forgets a message that the client has. A number that is not in flight means nothing: a message that was sent twice
    /// is acknowledged twice.
    pub(crate) fn acknowledge(&mut self, id: PacketId, now: Instant) {
        if let Some(at) = self.in_flight.iter().position(|sent| sent.id == id)
            && let Some(sent) = self.in_flight.remove(at)
        {
            self.held -= sent.waiting.cost;
            self.fill(now);
        }
    }

    /// Sends again what was sent too long ago, while the client takes what is written.
    pub(crate) fn redeliver(&mut self, limits: &Limits, now: Instant) {
        if self.writing.is_some() {
            return;
        }
        while self.ready.len() < READY
            && let Some(sent) = self.in_flight.pop_front_if(|sent| sent.sent + limits.redelivery <= now)
        {
            let sent = InFlight { sent: now, ..sent };
            self.push_message(&sent.waiting, Some((sent.id, true)));
            self.in_flight.push_back(sent);
        }
    }

    /// Takes the bytes that are ready, to be written. [`Self::written`] says when they are.
    pub(crate) fn take(&mut self, now: Instant) -> Vec<u8> {
        let bytes = std::mem::take(&mut self.ready);
        if !bytes.is_empty() {
            self.writing = Some(Writing { length: bytes.len(), since: now });
        }
        bytes
    }

    /// Notes that the bytes which were taken are written.
    pub(crate) fn written(&mut self, now: Instant) {
        self.writing = None;
        self.fill(now);
    }

    pub(crate) const fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Returns `true` if the client has not taken for too long what is written.
    pub(crate) fn is_stalled(&self, limits: &Limits, now: Instant) -> bool {
        self.writing.as_ref().is_some_and(|writing| writing.since + limits.stall <= now)
    }

    /// The next time at which [`Self::is_stalled`] or [`Self::redeliver`] matters.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match &self.writing {
            Some(writing) => Some(writing.since + limits.stall),
            // While enough is ready nothing is sent again, and the end of a write asks anew.
            None if self.ready.len() >= READY => None,
            None => self.in_flight.front().map(|sent| sent.sent + limits.redelivery),
        }
    }

    /// Forgets all messages; with `abrupt` the bytes that are ready as well.
    pub(crate) fn end(&mut self, abrupt: bool) {
        let ready = if abrupt { Vec::new() } else { std::mem::take(&mut self.ready) };
        *self = Self { ready, ..Self::new() };
    }

    /// Makes ready what the window of unacknowledged messages and the client's speed allow.
    fn fill(&mut self, now: Instant) {
        while self.ready.len() < READY {
            let window_is_open = self.in_flight.len() < MAX_IN_FLIGHT;
            let next = self.waiting.pop_front_if(|next| next.qos == QoS::AtMostOnce || window_is_open);
            let Some(waiting) = next else { break };
            if waiting.qos == QoS::AtMostOnce {
                self.held -= waiting.cost;
                self.push_message(&waiting, None);
            } else {
                let id = self.next_id();
                self.push_message(&waiting, Some((id, false)));
                self.in_flight.push_back(InFlight { id, sent: now, waiting });
            }
        }
        if self.waiting.is_empty() {
            self.waiting.shrink_to(MAX_IN_FLIGHT);
        }
    }

    fn push_message(&mut self, waiting: &Waiting, id: Option<(PacketId, bool)>) {
        let Waiting { message, retain, .. } = waiting;
        let delivery = id.map_or(Delivery::AtMostOnce, |(id, dup)| Delivery::AtLeastOnce { id, dup });
        let (topic, payload) = (message.topic(), &*message.payload);
        self.push(&Packet::Publish(Publish { topic, payload, retain: *retain, delivery }));
    }

    /// The next number that is not in flight.
    fn next_id(&mut self) -> PacketId {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if let Some(id) = PacketId::new(self.last_id)
                && self.in_flight.iter().all(|sent| sent.id != id)
            {
                return id;
            }
        }
    }
}
