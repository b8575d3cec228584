//! The broker as the tasks of all connections share it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use emulator_iot::Registry;
use tokio::sync::{Notify, watch};

use crate::broker::{Broker, ConnectionId, Transmit};
use crate::limits::Limits;

/// The broker, and the way to wake the task of each connection.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// A deadline may be earlier than the one that is waited for.
    earlier: Notify,
    pub(super) limits: Limits,
}

#[derive(Debug)]
struct State {
    broker: Broker,
    doors: HashMap<ConnectionId, Arc<Notify>>,
    /// The deadline that is waited for.
    awaited: Option<Instant>,
}

impl Shared {
    pub(super) fn new(registry: Registry, limits: Limits) -> Self {
        let state = State { broker: Broker::new(registry, limits), doors: HashMap::new(), awaited: None };
        Self { state: Mutex::new(state), earlier: Notify::new(), limits }
    }

    /// Adds a connection. The door is notified when [`Self::transmit`] has something for it.
    pub(super) fn accept(&self, certificate: &str) -> (ConnectionId, Arc<Notify>) {
        self.with(|state, now| {
            let (id, door) = (state.broker.accept(certificate, now), Arc::new(Notify::new()));
            state.doors.insert(id, Arc::clone(&door));
            (id, door)
        })
    }

    /// Takes bytes of a connection's peer, and returns those to write.
    pub(super) fn receive(&self, id: ConnectionId, bytes: &[u8]) -> Transmit {
        self.with(|state, now| {
            state.broker.receive(id, bytes, now);
            state.broker.transmit(id, now)
        })
    }

    /// The bytes to write.
    pub(super) fn transmit(&self, id: ConnectionId) -> Transmit {
        self.with(|state, now| state.broker.transmit(id, now))
    }

    /// Notes that the last bytes are written, and returns the next ones.
    pub(super) fn written(&self, id: ConnectionId) -> Transmit {
        self.with(|state, now| {
            state.broker.written(id, now);
            state.broker.transmit(id, now)
        })
    }

    /// Returns `true` if the connection is to be closed while something is being written.
    pub(super) fn is_aborted(&self, id: ConnectionId) -> bool {
        self.lock().broker.is_aborted(id)
    }

    /// Forgets a connection.
    pub(super) fn end(&self, id: ConnectionId) {
        self.with(|state, now| {
            state.doors.remove(&id);
            state.broker.end(id, now);
        });
    }

    /// Has the broker handle its deadlines and the changes of the registry, for ever.
    pub(super) async fn watch(&self, mut changes: watch::Receiver<u64>) {
        loop {
            let next = self.with(|state, now| {
                state.broker.handle_timeout(now);
                state.awaited = state.broker.next_deadline();
                state.awaited
            });
            let passed = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = passed => {}
                () = self.earlier.notified() => {}
                Ok(()) = changes.changed() => self.with(|state, now| state.broker.registry_changed(now)),
            }
        }
    }

    /// Does something with the broker, and wakes those for whom it has something then.
    fn with<T>(&self, act: impl FnOnce(&mut State, Instant) -> T) -> T {
        let now = Instant::now();
        let mut state = self.lock();
        let done = act(&mut state, now);
        while let Some(id) = state.broker.poll_ready() {
            if let Some(door) = state.doors.get(&id) {
                door.notify_one();
            }
        }
        let next = state.broker.next_deadline();
        let is_earlier = next.is_some_and(|next| state.awaited.is_none_or(|awaited| next < awaited));
        drop(state);
        if is_earlier {
            self.earlier.notify_one();
        }
        done
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
