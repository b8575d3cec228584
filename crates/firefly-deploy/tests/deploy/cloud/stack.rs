//! Stacks, their resources and events.

use std::collections::{BTreeMap, VecDeque};

use super::document::Document;
use super::{ACCOUNT, REGION, State};

/// A stack, also one that is deleted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stack {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: String,
    /// The states it goes through from here, one a look.
    pub(crate) then: VecDeque<String>,
    pub(crate) template: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) resources: Vec<Resource>,
    /// Oldest first.
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

    /// Sets the states it goes through: in progress for some looks, then the last.
    pub(crate) fn go(&mut self, lag: usize, busy: &str, last: &str) {
        self.event(busy, "User Initiated");
        self.status = busy.to_owned();
        self.then = (1..lag).map(|_| busy.to_owned()).chain([last.to_owned()]).collect();
        if lag == 0 {
            self.status = last.to_owned();
            self.then.clear();
        }
    }

    /// Is looked at: what is shown now, and the next state after it.
    pub(crate) fn look(&mut self) -> Self {
        let shown = self.clone();
        if let Some(next) = self.then.pop_front() {
            self.status = next;
        }
        shown
    }
}

impl State {
    /// A stack that exists, by name, or any by ARN.
    pub(crate) fn stack(&mut self, name: &str) -> Option<&mut Stack> {
        self.stacks.iter_mut().find(|stack| stack.id == name || (stack.name == name && !stack.is_deleted()))
    }

    /// Puts a stack with a template there, as an earlier run would have left it; its resources are those the template
    /// declares, each in `resources`' state.
    pub(crate) fn put_stack(&mut self, name: &str, status: &str, template: &str, resources: &str) -> &mut Stack {
        self.put_stack_with(name, status, template, resources, BTreeMap::new())
    }

    pub(crate) fn put_stack_with(
        &mut self,
        name: &str,
        status: &str,
        template: &str,
        resources: &str,
        parameters: BTreeMap<String, String>,
    ) -> &mut Stack {
        let mut stack = Stack::new(name, self.stacks.len(), status);
        if !template.is_empty() {
            let document = Document::new(template, &parameters);
            for (logical_id, declared) in document.resources() {
                let physical_id = declared.physical_id(name, &logical_id);
                stack.resource(&logical_id, &physical_id, &declared.kind, resources, "");
            }
            if status.ends_with("_COMPLETE") && !matches!(status, "ROLLBACK_COMPLETE" | "IMPORT_COMPLETE") {
                stack.outputs = document.outputs();
            }
        }
        stack.template = template.to_owned();
        stack.parameters = parameters;
        self.stacks.push(stack);
        self.stacks.last_mut().unwrap()
    }

    /// Puts a stack of these outputs there.
    pub(crate) fn put_outputs(&mut self, name: &str, status: &str, outputs: &[(&str, &str)]) {
        let outputs = outputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.put_stack(name, status, "", "").outputs = outputs;
    }
}
