//! Change sets.

use std::collections::VecDeque;

use super::query::Parameters;

/// A change set.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangeSet {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) stack_id: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    /// The next states, one for each look.
    pub(crate) then: VecDeque<String>,
    pub(crate) reason: String,
    pub(crate) execution: String,
    pub(crate) template: String,
    pub(crate) parameters: Parameters,
    /// The logical id, action and replacement of each change.
    pub(super) changes: Vec<(String, &'static str, &'static str)>,
    /// The message of its failed validation.
    pub(super) validation: Option<&'static str>,
}

impl ChangeSet {
    /// Returns the change set as it is shown now, and goes to the next state.
    pub(super) fn look(&mut self) -> Self {
        let shown = self.clone();
        if let Some(next) = self.then.pop_front() {
            self.status = next;
        }
        shown
    }
}
