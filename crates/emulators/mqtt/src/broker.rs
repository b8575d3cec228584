//! The state of all sessions, without I/O.
//!
//! A driver says what happens, with the time: [`Broker::accept`], [`Broker::receive`], [`Broker::written`],
//! [`Broker::end`], [`Broker::handle_timeout`], [`Broker::registry_changed`]. Then it asks what to do:
//! [`Broker::poll_ready`] names connections, [`Broker::transmit`] gives the bytes to write and says when to close, and
//! [`Broker::next_deadline`] says when to call again if nothing happens.

mod deadlines;
mod publishing;
mod sessions;
mod subscribing;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use emulator_iot::Registry;

use crate::authority::{Actor, Authority};
use crate::closure::Closure;
use crate::connection::{Connection, Session, Will};
use crate::limits::{Limits, MAX_PACKET};
use crate::packet::Packet;
use crate::retained::Retained;
use crate::subscriptions::Subscriptions;

/// The number of a connection; none is given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

/// The next thing to do for a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Bytes to write. Unless they are empty, [`Broker::written`] follows.
    pub bytes: Vec<u8>,
    /// The reason to close the connection once they are written.
    pub closure: Option<Closure>,
}

/// The sessions of all connections.
#[derive(Debug)]
pub struct Broker {
    authority: Authority,
    limits: Limits,
    connections: HashMap<ConnectionId, Connection>,
    /// The connection that has a client id.
    clients: HashMap<Arc<str>, ConnectionId>,
    subscriptions: Subscriptions<ConnectionId>,
    retained: Retained,
    /// The wills of sessions that have ended, with those who had them.
    wills: VecDeque<(Actor, Will)>,
    /// Times at which connections may need attention; some are outdated.
    deadlines: BinaryHeap<Reverse<(Instant, ConnectionId)>>,
    ready: VecDeque<ConnectionId>,
    last: u64,
}

impl Broker {
    /// A broker without connections.
    #[must_use]
    pub fn new(registry: Registry, limits: Limits) -> Self {
        Self {
            authority: Authority::new(registry),
            limits,
            connections: HashMap::new(),
            clients: HashMap::new(),
            subscriptions: Subscriptions::new(),
            retained: Retained::default(),
            wills: VecDeque::new(),
            deadlines: BinaryHeap::new(),
            ready: VecDeque::new(),
            last: 0,
        }
    }

    /// Adds a connection. Its peer has proved that it has the key of the certificate with this id: the lower-case hex
    /// SHA-256 of its DER.
    pub fn accept(&mut self, certificate: &str, now: Instant) -> ConnectionId {
        self.last += 1;
        let id = ConnectionId(self.last);
        self.connections.insert(id, Connection::new(certificate.into(), now + self.limits.connect));
        self.note(id);
        id
    }

    /// Takes bytes of a connection's peer.
    pub fn receive(&mut self, id: ConnectionId, bytes: &[u8], now: Instant) {
        let Some(connection) = self.open(id) else { return };
        let mut input = std::mem::take(&mut connection.input);
        let begun = !input.is_empty();
        if begun {
            input.extend_from_slice(bytes);
        }
        let mut rest = if begun { input.as_slice() } else { bytes };
        loop {
            let handled = match Packet::decode(rest, MAX_PACKET) {
                Ok(None) => break,
                Ok(Some((packet, length))) => {
                    rest = rest.get(length..).unwrap_or_default();
                    self.handle(id, &packet, now)
                }
                Err(error) => Err(self.malformed(id, error)),
            };
            if let Err(closure) = handled {
                self.close(id, closure);
            }
            if self.open(id).is_none() {
                break;
            }
        }
        let taken = if begun { input.len() } else { bytes.len() } - rest.len();
        if let Some(connection) = self.open(id) {
            connection.input = match begun {
                true if taken == 0 => input,
                _ => rest.to_vec(),
            };
        }
        self.settle(now);
        self.note(id);
    }

    /// The bytes to write to a connection, and the reason to close it then. A connection that is unknown is closed.
    pub fn transmit(&mut self, id: ConnectionId, now: Instant) -> Transmit {
        let Some(connection) = self.connections.get_mut(&id) else {
            return Transmit { bytes: Vec::new(), closure: Some(Closure::Lost) };
        };
        connection.is_announced = false;
        let transmit = Transmit { bytes: connection.outgoing.take(now), closure: connection.closure.clone() };
        self.note(id);
        transmit
    }

    /// Notes that the bytes of the last [`Self::transmit`] are written.
    pub fn written(&mut self, id: ConnectionId, now: Instant) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.outgoing.written(now);
        }
        self.note(id);
    }

    /// Returns `true` if the connection is to be closed at once, whatever is being written.
    #[must_use]
    pub fn is_aborted(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_none_or(|connection| connection.closure.as_ref().is_some_and(Closure::is_abrupt))
    }

    /// Forgets a connection, which is closed. If its session goes on, its will is published.
    pub fn end(&mut self, id: ConnectionId, now: Instant) {
        self.close(id, Closure::Lost);
        self.connections.remove(&id);
        self.settle(now);
    }

    /// Ends the connections whose certificates are not ACTIVE any more.
    pub fn registry_changed(&mut self, now: Instant) {
        let authority = &self.authority;
        let inactive = self.connections.iter().filter(|(_, connection)| !authority.is_active(&connection.certificate));
        let inactive: Vec<_> = inactive.map(|(id, _)| *id).collect();
        for id in inactive {
            self.close(id, Closure::Inactive);
        }
        self.settle(now);
    }

    /// The next connection for which [`Self::transmit`] has something, once each time.
    pub fn poll_ready(&mut self) -> Option<ConnectionId> {
        loop {
            let id = self.ready.pop_front()?;
            if self.connections.get(&id).is_some_and(|connection| connection.is_announced) {
                return Some(id);
            }
        }
    }

    /// The session of a connection that goes on.
    fn session(&mut self, id: ConnectionId) -> Result<&mut Session, Closure> {
        self.connections.get_mut(&id).and_then(|connection| connection.session.as_mut()).ok_or(Closure::Lost)
    }

    /// A connection that goes on.
    fn open(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(&id).filter(|connection| connection.closure.is_none())
    }

    /// Makes a packet ready for a connection.
    fn push(&mut self, id: ConnectionId, packet: &Packet<'_>) {
        if let Some(connection) = self.open(id) {
            connection.outgoing.push(packet);
        }
        self.announce(id);
    }

    /// Has the driver ask for a connection's bytes.
    fn announce(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.is_announced
            && (connection.outgoing.has_ready() || connection.closure.is_some())
        {
            connection.is_announced = true;
            self.ready.push_back(id);
        }
    }
}
