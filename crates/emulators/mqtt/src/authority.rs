//! Decides what a connection may do.

use std::collections::HashMap;
use std::sync::Arc;

use emulator_iot::policy::{Action, Resource};
use emulator_iot::{CertificateStatus, Registry};
use tokio::sync::watch;

use crate::closure::Closure;
use crate::topic::TopicName;

/// Most topics whose decisions a session remembers.
const REMEMBERED_TOPICS: usize = 64;

/// The registry of certificates and policies.
#[derive(Debug)]
pub(crate) struct Authority {
    registry: Registry,
    changes: watch::Receiver<u64>,
}

/// The one who acts: a certificate under a client id.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    /// Lower-case hex SHA-256 of the certificate.
    pub(crate) certificate: Arc<str>,
    pub(crate) client_id: Arc<str>,
}

/// The decisions about one session's topics, for as long as the registry does not change.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    /// The state of the registry by which they were made.
    version: u64,
    topics: HashMap<Box<str>, Decided>,
}

/// The decisions about one topic.
#[derive(Debug, Clone, Copy, Default)]
struct Decided {
    publish: Option<bool>,
    retain: Option<bool>,
    receive: Option<bool>,
}

/// An action on a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopicAction {
    Publish,
    RetainPublish,
    Receive,
}

impl Authority {
    pub(crate) fn new(registry: Registry) -> Self {
        Self { changes: registry.changes(), registry }
    }

    pub(crate) fn is_active(&self, certificate: &str) -> bool {
        self.registry.certificate_status(certificate) == Some(CertificateStatus::Active)
    }

    /// Judges CONNECT, which has these values of `iot:ConnectAttributes`.
    pub(crate) fn connect(&self, actor: &Actor, attributes: &[&str]) -> Result<(), Closure> {
        if !self.is_active(&actor.certificate) {
            return Err(Closure::Inactive);
        }
        self.judge(actor, Action::Connect, Resource::Client(&actor.client_id), attributes)
    }

    /// Judges a subscription.
    pub(crate) fn subscribe(&self, actor: &Actor, filter: &str) -> Result<(), Closure> {
        self.judge(actor, Action::Subscribe, Resource::TopicFilter(filter), &[])
    }

    /// Judges an action on a topic.
    pub(crate) fn topic(&self, actor: &Actor, action: TopicAction, topic: TopicName<'_>) -> bool {
        let action = match action {
            TopicAction::Publish => Action::Publish,
            TopicAction::RetainPublish => Action::RetainPublish,
            TopicAction::Receive => Action::Receive,
        };
        self.registry.allows(&actor.certificate, &actor.client_id, action, &Resource::Topic(topic.as_str()), &[])
    }

    fn judge(&self, actor: &Actor, action: Action, resource: Resource<'_>, attributes: &[&str]) -> Result<(), Closure> {
        if self.registry.allows(&actor.certificate, &actor.client_id, action, &resource, attributes) {
            return Ok(());
        }
        let (Resource::Client(text) | Resource::Topic(text) | Resource::TopicFilter(text)) = resource;
        Err(Closure::Denied { action: action.name(), resource: text.to_owned() })
    }

    fn version(&self) -> u64 {
        *self.changes.borrow()
    }
}

impl Decisions {
    /// Like [`Authority::topic`], but remembers the decision until the registry changes.
    pub(crate) fn topic(
        &mut self,
        authority: &Authority,
        actor: &Actor,
        action: TopicAction,
        topic: TopicName<'_>,
    ) -> bool {
        // Read before the decision: one made by an older state is never remembered for a newer one.
        let version = authority.version();
        if version != self.version || self.topics.len() >= REMEMBERED_TOPICS {
            *self = Self { version, topics: HashMap::new() };
        }
        if let Some(decision) = self.topics.get(topic.as_str()).and_then(|decided| decided.of(action)) {
            return decision;
        }
        let decision = authority.topic(actor, action, topic);
        *self.topics.entry(topic.as_str().into()).or_default().slot(action) = Some(decision);
        decision
    }
}

impl Decided {
    const fn of(self, action: TopicAction) -> Option<bool> {
        match action {
            TopicAction::Publish => self.publish,
            TopicAction::RetainPublish => self.retain,
            TopicAction::Receive => self.receive,
        }
    }

    const fn slot(&mut self, action: TopicAction) -> &mut Option<bool> {
        match action {
            TopicAction::Publish => &mut self.publish,
            TopicAction::RetainPublish => &mut self.retain,
            TopicAction::Receive => &mut self.receive,
        }
    }
}

impl TopicAction {
    /// The closure of a connection that may not do this.
    pub(crate) fn denied(self, topic: TopicName<'_>) -> Closure {
        let action = match self {
            Self::Publish => "iot:Publish",
            Self::RetainPublish => "iot:RetainPublish",
            Self::Receive => "iot:Receive",
        };
        Closure::Denied { action, resource: topic.as_str().to_owned() }
    }
}
