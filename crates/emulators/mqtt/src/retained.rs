//! The retained messages: the last one of each topic.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::outgoing::Message;
use crate::topic::TopicFilter;

/// The retained messages by topic.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    messages: BTreeMap<Box<str>, Arc<Message>>,
    /// Bytes of all.
    size: usize,
}

impl Retained {
    /// Keeps a message in the place of the last one of its topic. An empty one is not kept (MQTT-3.3.1-10), nor is one
    /// that would make all together larger than `limit` bytes.
    pub(crate) fn keep(&mut self, message: &Arc<Message>, limit: usize) {
        let topic = message.topic();
        if let Some(last) = self.messages.remove(topic.as_str()) {
            self.size -= last.size();
        }
        if message.is_empty() {
            return;
        }
        if self.size + message.size() > limit {
            tracing::warn!(%topic, limit_bytes = limit, "there is no place for another retained message");
            return;
        }
        self.size += message.size();
        self.messages.insert(topic.as_str().into(), Arc::clone(message));
    }

    /// The messages of a filter's topics.
    pub(crate) fn matching(&self, filter: TopicFilter<'_>) -> Vec<Arc<Message>> {
        if !filter.as_str().contains(['+', '#']) {
            return self.messages.get(filter.as_str()).cloned().into_iter().collect();
        }
        self.messages.values().filter(|message| filter.matches(message.topic())).cloned().collect()
    }
}
