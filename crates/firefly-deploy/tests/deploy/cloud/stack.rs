//! Stacks, their resources and events.

use std::collections::{BTreeMap, VecDeque};

use super::account::{ACCOUNT, REGION};

/// A stack. It may be deleted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stack {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: String,
    /// The next states, one for each look.
    pub(crate) then: VecDeque<String>,
    pub(crate) template: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) resources: Vec<Resource>,
    /// The events, oldest first.
    pub(crate) events: Vec<Event>,
    pub(crate) protected: bool,
}

/// A resource of a stack.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) logical_id: String,
    pub(crate) physical_id: String,
    pub(crate) kind: String,
    pub(crate) status: String,
}

/// An event of a stack.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) logical_id: String,
    pub(crate) physical_id: String,
    pub(crate) status: String,
    pub(crate) reason: String,
}

impl Stack {
    pub(crate) fn new(name: &str, number: usize, status: &str) -> Self {
        let id = format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/00000000-0000-0000-0000-{number:012}");
        Self { id, name: name.to_owned(), status: status.to_owned(), ..Self::default() }
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.status == "DELETE_COMPLETE"
    }

    /// Notes an event of the stack itself.
    pub(crate) fn event(&mut self, status: &str, reason: &str) {
        let (logical_id, physical_id) = (self.name.clone(), self.id.clone());
        self.events.push(Event { logical_id, physical_id, status: status.to_owned(), reason: reason.to_owned() });
    }

    /// Notes the state of a resource.
    pub(crate) fn resource(&mut self, logical_id: &str, physical_id: &str, kind: &str, status: &str, reason: &str) {
        self.resources.retain(|resource| resource.logical_id != logical_id);
        let (logical_id, physical_id) = (logical_id.to_owned(), physical_id.to_owned());
        let event = Event {
            logical_id: logical_id.clone(),
            physical_id: physical_id.clone(),
            status: status.to_owned(),
            reason: reason.to_owned(),
        };
        self.events.push(event);
        self.resources.push(Resource { logical_id, physical_id, kind: kind.to_owned(), status: status.to_owned() });
    }

    /// Sets the next states: in progress for some looks, then the last.
    pub(crate) fn go(&mut self, lag: usize, busy: &str, last: &str) {
        self.event(busy, "User Initiated");
        self.status = busy.to_owned();
        self.then = (1..lag).map(|_| busy.to_owned()).chain([last.to_owned()]).collect();
        if lag == 0 {
            self.status = last.to_owned();
            self.then.clear();
        }
    }

    /// Returns the stack as it is shown now, and goes to the next state.
    pub(crate) fn look(&mut self) -> Self {
        let shown = self.clone();
        if let Some(next) = self.then.pop_front() {
            self.status = next;
        }
        shown
    }
}
