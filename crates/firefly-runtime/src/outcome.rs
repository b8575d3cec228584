//! The outcome of a request, for the log and the metrics.

/// The end of a request: a name for the log, and counts for the metrics.
///
/// Metric names are those of `stacks/observability.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) ending: Ending,
    pub(crate) bytes: Option<usize>,
    pub(crate) audit: Option<String>,
    pub(crate) anybodys: bool,
    pub(crate) figures: Vec<Figure>,
}

/// The ending of a request: success or one of two failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The request succeeded.
    Done,
    /// The request failed, and its sender has the cause.
    Refused {
        /// The reason, for the log.
        cause: String,
    },
    /// The request failed, and its sender has no part in it.
    Failed {
        /// The reason, for the log.
        cause: String,
    },
}

/// A figure of one metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) metric: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) value: u64,
}

impl Outcome {
    /// The outcome of this name, of a request that succeeded.
    pub const fn new(name: &'static str) -> Self {
        Self::ended(name, Ending::Done)
    }

    /// The outcome of this name, a code for people and programs. Requests that were refused or failed are counted by it.
    pub const fn ended(name: &'static str, ending: Ending) -> Self {
        Self { name, ending, bytes: None, audit: None, anybodys: false, figures: Vec::new() }
    }

    /// Marks the outcome as one that anybody can bring about, as often as they like: log and metrics then hold samples.
    #[must_use]
    pub fn anybodys(self) -> Self {
        Self { anybodys: true, ..self }
    }

    /// Adds the number of bytes that were stored or returned, for the log.
    #[must_use]
    pub fn with_bytes(self, bytes: usize) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    /// Adds a sentence on who changes what, or has changed it. The log then has a request that succeeded at the level
    /// WARN, too, which is on by default.
    #[must_use]
    pub fn audited(self, audit: String) -> Self {
        Self { audit: Some(audit), ..self }
    }

    /// Counts the request by this metric.
    #[must_use]
    pub fn counted(self, metric: &'static str) -> Self {
        self.with_figure(Figure { metric, unit: "Count", value: 1 })
    }

    /// Adds a number of bytes to this metric.
    #[must_use]
    pub fn measured_in_bytes(self, metric: &'static str, bytes: usize) -> Self {
        let value = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.with_figure(Figure { metric, unit: "Bytes", value })
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Tells success from failure.
    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    /// The number of bytes that were stored or returned.
    pub fn bytes(&self) -> Option<usize> {
        self.bytes
    }

    /// The sentence on who has changed what.
    pub fn audit(&self) -> Option<&str> {
        self.audit.as_deref()
    }

    fn with_figure(mut self, figure: Figure) -> Self {
        self.figures.push(figure);
        self
    }
}
