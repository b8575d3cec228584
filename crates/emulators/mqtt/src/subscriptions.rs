//! The subscriptions of all sessions, as a tree of topic levels.

use std::collections::HashMap;

use crate::packet::QoS;
use crate::topic::{TopicFilter, TopicName};

/// The subscriptions of subscribers `S`. A way through the tree has as many nodes as the filter has levels, at most
/// eight within the quotas.
#[derive(Debug)]
pub(crate) struct Subscriptions<S> {
    root: Node<S>,
}

#[derive(Debug)]
struct Node<S> {
    /// The levels below, among them `+`, which no topic name has.
    children: HashMap<Box<str>, Self>,
    /// The filters that end here.
    here: Vec<(S, QoS)>,
    /// The filters that end with a `#` below.
    below: Vec<(S, QoS)>,
}

impl<S> Default for Node<S> {
    fn default() -> Self {
        Self { children: HashMap::new(), here: Vec::new(), below: Vec::new() }
    }
}

impl<S: Copy + Ord> Subscriptions<S> {
    pub(crate) fn new() -> Self {
        Self { root: Node::default() }
    }

    /// Adds a subscription, in the place of one with the same filter.
    pub(crate) fn insert(&mut self, filter: TopicFilter<'_>, subscriber: S, qos: QoS) {
        let mut node = &mut self.root;
        for level in filter.as_str().split('/') {
            if level == "#" {
                return set(&mut node.below, subscriber, qos);
            }
            node = node.children.entry(level.into()).or_default();
        }
        set(&mut node.here, subscriber, qos);
    }

    /// Removes a subscription.
    pub(crate) fn remove(&mut self, filter: TopicFilter<'_>, subscriber: S) {
        self.root.remove(filter.as_str(), subscriber);
    }

    /// Every subscriber to a topic once, with the highest quality of service of its subscriptions.
    pub(crate) fn of(&self, topic: TopicName<'_>) -> Vec<(S, QoS)> {
        let mut found = Vec::new();
        self.root.collect(Some(topic.as_str()), !topic.as_str().starts_with('$'), &mut found);
        if found.len() > 1 {
            found
                .sort_unstable_by(|(left, left_qos), (right, right_qos)| left.cmp(right).then(right_qos.cmp(left_qos)));
            found.dedup_by_key(|(subscriber, _)| *subscriber);
        }
        found
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.root.is_empty()
    }
}

impl<S: Copy + Ord> Node<S> {
    /// Removes a subscription below this node.
    fn remove(&mut self, filter: &str, subscriber: S) {
        let (level, rest) = split(filter);
        if level == "#" {
            return unset(&mut self.below, subscriber);
        }
        let Some(child) = self.children.get_mut(level) else { return };
        match rest {
            Some(rest) => child.remove(rest, subscriber),
            None => unset(&mut child.here, subscriber),
        }
        if child.is_empty() {
            self.children.remove(level);
            self.children.shrink_to_fit();
        }
    }

    /// Collects the subscriptions that match the levels that are left of a topic; `None` if none is left. A wildcard
    /// matches only if `wildcards` is `true`; below the first level it always does.
    fn collect(&self, levels: Option<&str>, wildcards: bool, found: &mut Vec<(S, QoS)>) {
        if wildcards {
            found.extend_from_slice(&self.below);
        }
        let Some(levels) = levels else { return found.extend_from_slice(&self.here) };
        let (level, rest) = split(levels);
        if let Some(child) = self.children.get(level) {
            child.collect(rest, true, found);
        }
        if wildcards && let Some(child) = self.children.get("+") {
            child.collect(rest, true, found);
        }
    }

    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.here.is_empty() && self.below.is_empty()
    }
}

/// The first level, and the levels behind it.
fn split(levels: &str) -> (&str, Option<&str>) {
    levels.split_once('/').map_or((levels, None), |(level, rest)| (level, Some(rest)))
}

fn set<S: Copy + Ord>(list: &mut Vec<(S, QoS)>, subscriber: S, qos: QoS) {
    match list.binary_search_by_key(&subscriber, |(subscriber, _)| *subscriber) {
        Ok(at) => {
            if let Some(slot) = list.get_mut(at) {
                slot.1 = qos;
            }
        }
        Err(at) => list.insert(at, (subscriber, qos)),
    }
}

fn unset<S: Copy + Ord>(list: &mut Vec<(S, QoS)>, subscriber: S) {
    if let Ok(at) = list.binary_search_by_key(&subscriber, |(subscriber, _)| *subscriber) {
        list.remove(at);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter() -> impl Strategy<Value = String> {
        let level = prop_oneof![Just("a"), Just("b"), Just(""), Just("+"), Just("$aws")];
        (proptest::collection::vec(level, 1..4), any::<bool>()).prop_map(|(levels, rest)| {
            let text = levels.join("/");
            if rest { format!("{text}/#") } else { text }
        })
    }

    fn topic() -> impl Strategy<Value = String> {
        let level = prop_oneof![Just("a"), Just("b"), Just(""), Just("$aws")];
        proptest::collection::vec(level, 1..5).prop_map(|levels| levels.join("/"))
    }

    proptest! {
        /// The tree finds the subscribers whose filters match, and is empty when all have left.
        #[test]
        fn the_tree_agrees_with_the_filters(
            filters in proptest::collection::vec((0_u8..4, prop_oneof![filter(), Just("#".to_owned())], 0..2), 0..12),
            topics in proptest::collection::vec(topic(), 1..6),
        ) {
            let mut tree = Subscriptions::new();
            let mut list = std::collections::BTreeMap::new();
            for (subscriber, filter, qos) in &filters {
                let Ok(parsed) = TopicFilter::new(filter) else { continue };
                let qos = if *qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
                tree.insert(parsed, *subscriber, qos);
                list.insert((*subscriber, filter.as_str()), qos);
            }
            for topic in topics.iter().filter_map(|topic| TopicName::new(topic).ok()) {
                let mut wanted = std::collections::BTreeMap::new();
                for ((subscriber, filter), qos) in &list {
                    if TopicFilter::new(filter).unwrap().matches(topic) {
                        let best = wanted.entry(*subscriber).or_insert(*qos);
                        *best = (*best).max(*qos);
                    }
                }
                prop_assert_eq!(tree.of(topic), wanted.into_iter().collect::<Vec<_>>());
            }
            for (subscriber, filter) in list.keys() {
                tree.remove(TopicFilter::new(filter).unwrap(), *subscriber);
            }
            prop_assert!(tree.is_empty());
        }
    }
}
