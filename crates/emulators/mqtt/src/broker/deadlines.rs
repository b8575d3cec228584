//! Deadlines pass.

use std::cmp::Reverse;
use std::time::Instant;

use super::{Broker, ConnectionId};

impl Broker {
    /// The time at which [`Self::handle_timeout`] is due; there may be nothing to do then.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.peek().map(|Reverse((time, _))| *time)
    }

    /// Ends the connections whose deadline has passed, and sends again what was not acknowledged.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(Reverse((time, id))) = self.deadlines.peek().copied().filter(|Reverse((time, _))| *time <= now) {
            self.deadlines.pop();
            let limits = self.limits;
            let Some(connection) = self.connections.get_mut(&id).filter(|connection| connection.noted == Some(time))
            else {
                continue;
            };
            connection.noted = None;
            if let Some(closure) = connection.overdue(&limits, now) {
                self.close(id, closure);
            } else {
                connection.outgoing.redeliver(&limits, now);
                self.announce(id);
                self.note(id);
            }
        }
        self.settle(now);
    }

    /// Notes the deadline of a connection, if it is earlier than the one noted.
    pub(super) fn note(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if let Some(deadline) = connection.deadline(&self.limits)
            && connection.noted.is_none_or(|noted| deadline < noted)
        {
            connection.noted = Some(deadline);
            self.deadlines.push(Reverse((deadline, id)));
        }
    }
}
