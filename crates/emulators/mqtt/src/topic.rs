//! Topic names and topic filters.
//!
//! Source: MQTT 3.1.1, 4.7; the quotas are AWS IoT Core's.

use std::fmt;

/// Longest topic name or filter in bytes, a quota of AWS IoT Core.
pub const MAX_TOPIC_LENGTH: usize = 256;

/// Most slashes of a topic name or filter, a quota of AWS IoT Core.
pub const MAX_TOPIC_SLASHES: usize = 7;

/// The beginning of the only reserved topics that may be used.
const AWS_TOPICS: &str = "$aws/";

/// The reasons for which a text is not a topic name or not a topic filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// The text is empty (MQTT-4.7.3-1).
    #[error("it is empty")]
    Empty,
    /// The text has the character U+0000 (MQTT-4.7.3-2).
    #[error("it has the character U+0000")]
    Nul,
    /// The text has more bytes than a length of two bytes can tell (MQTT-4.7.3-3).
    #[error("it has {0} bytes, at most 65535 are possible")]
    TooLong(usize),
    /// A topic name has a wildcard (MQTT-3.3.2-2).
    #[error("a topic name has a wildcard")]
    WildcardInName,
    /// A `#` is not the last level, or does not stand alone in it (MQTT-4.7.1-2).
    #[error("a # is not alone in the last level")]
    MultiLevelWildcard,
    /// A `+` does not stand alone in its level (MQTT-4.7.1-3).
    #[error("a + is not alone in its level")]
    SingleLevelWildcard,
}

/// A topic name: the label of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicName<'a>(&'a str);

/// A [`TopicName`] that owns its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedTopicName(Box<str>);

/// A topic filter: the topics of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicFilter<'a>(&'a str);

impl<'a> TopicName<'a> {
    /// Parses a topic name.
    ///
    /// # Errors
    /// The text is empty or too long, has U+0000 or a wildcard.
    pub fn new(text: &'a str) -> Result<Self, TopicError> {
        check(text)?;
        if text.contains(['+', '#']) {
            return Err(TopicError::WildcardInName);
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The same topic name with a text of its own.
    #[must_use]
    pub fn owned(self) -> OwnedTopicName {
        OwnedTopicName(self.0.into())
    }

    /// Returns `true` if AWS IoT Core has the topic: see [`TopicFilter::is_within_quotas`].
    #[must_use]
    pub fn is_within_quotas(self) -> bool {
        is_within_quotas(self.0)
    }
}

impl OwnedTopicName {
    /// The topic name.
    #[must_use]
    pub const fn name(&self) -> TopicName<'_> {
        TopicName(&self.0)
    }
}

impl<'a> TopicFilter<'a> {
    /// Parses a topic filter.
    ///
    /// # Errors
    /// The text is empty or too long, has U+0000 or a wildcard in a wrong place.
    pub fn new(text: &'a str) -> Result<Self, TopicError> {
        check(text)?;
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            if level.contains('#') && (level != "#" || levels.peek().is_some()) {
                return Err(TopicError::MultiLevelWildcard);
            }
            if level.contains('+') && level != "+" {
                return Err(TopicError::SingleLevelWildcard);
            }
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Returns `true` if the filter keeps AWS IoT Core's quotas of length and slashes, and is not of the reserved topics
    /// that begin with `$`, of which `$aws/` alone may be used.
    #[must_use]
    pub fn is_within_quotas(self) -> bool {
        is_within_quotas(self.0)
    }

    /// Returns `true` if a message with this topic name belongs to a subscription with this filter.
    ///
    /// A filter that begins with a wildcard does not match a topic that begins with `$` (MQTT-4.7.2-1).
    #[must_use]
    pub fn matches(self, topic: TopicName<'_>) -> bool {
        if topic.0.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut levels = topic.0.split('/');
        for wanted in self.0.split('/') {
            match (wanted, levels.next()) {
                // It stands for the level above, too.
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (wanted, Some(level)) if wanted == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }
}

impl fmt::Display for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for TopicFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn check(text: &str) -> Result<(), TopicError> {
    if text.is_empty() {
        return Err(TopicError::Empty);
    }
    if text.len() > usize::from(u16::MAX) {
        return Err(TopicError::TooLong(text.len()));
    }
    if text.contains('\0') {
        return Err(TopicError::Nul);
    }
    Ok(())
}

fn is_within_quotas(text: &str) -> bool {
    let slashes = text.bytes().filter(|byte| *byte == b'/').count();
    let is_reserved = text.starts_with('$') && !text.starts_with(AWS_TOPICS);
    text.len() <= MAX_TOPIC_LENGTH && slashes <= MAX_TOPIC_SLASHES && !is_reserved
}
