//! Subscriptions begin and end.

use std::time::Instant;

use super::{Broker, ConnectionId};
use crate::closure::Closure;
use crate::limits::{MAX_FILTERS, MAX_SUBSCRIPTIONS};
use crate::packet::{Packet, QoS, Suback, Subscribe, Unsubscribe};
use crate::topic::TopicFilter;

impl Broker {
    /// Handles SUBSCRIBE: all of its filters are granted, or the session ends. The retained messages follow SUBACK.
    pub(super) fn subscribe(
        &mut self,
        id: ConnectionId,
        subscribe: &Subscribe<'_>,
        now: Instant,
    ) -> Result<(), Closure> {
        let filters = &subscribe.filters;
        if filters.len() > MAX_FILTERS {
            return Err(Closure::Quota("the filters of a SUBSCRIBE"));
        }
        let actor = self.session(id)?.actor.clone();
        for (filter, _) in filters {
            if !filter.is_within_quotas() {
                return Err(Closure::Quota("a topic filter"));
            }
            self.authority.subscribe(&actor, filter.as_str())?;
        }
        let mut granted = Vec::with_capacity(filters.len());
        for (filter, qos) in filters {
            let qos = (*qos).min(QoS::AtLeastOnce);
            granted.push(Some(qos));
            let subscriptions = &mut self.session(id)?.subscriptions;
            subscriptions.insert(filter.as_str().into(), qos);
            let count = subscriptions.len();
            self.subscriptions.insert(*filter, id, qos);
            if count > MAX_SUBSCRIPTIONS {
                return Err(Closure::Quota("the subscriptions of a session"));
            }
        }
        self.push(id, &Packet::Suback(Suback { id: subscribe.id, granted: granted.clone() }));
        for ((filter, _), qos) in filters.iter().zip(granted) {
            for message in self.retained.matching(*filter) {
                self.deliver(id, &message, qos.unwrap_or(QoS::AtMostOnce), true, now);
            }
        }
        Ok(())
    }

    /// Handles UNSUBSCRIBE, which AWS IoT Core does not authorize.
    pub(super) fn unsubscribe(&mut self, id: ConnectionId, unsubscribe: &Unsubscribe<'_>) -> Result<(), Closure> {
        if unsubscribe.filters.len() > MAX_FILTERS {
            return Err(Closure::Quota("the filters of an UNSUBSCRIBE"));
        }
        for filter in &unsubscribe.filters {
            if self.session(id)?.subscriptions.remove(filter.as_str()).is_some() {
                self.unindex(id, filter.as_str());
            }
        }
        self.push(id, &Packet::Unsuback(unsubscribe.id));
        Ok(())
    }

    /// Takes a subscription from those of all sessions.
    pub(super) fn unindex(&mut self, id: ConnectionId, filter: &str) {
        if let Ok(filter) = TopicFilter::new(filter) {
            self.subscriptions.remove(filter, id);
        }
    }
}
