//! The stacks and their needs. Deploy order, delete order, parameters and the refusals of `delete` come from this table.

mod functions;
mod render;
mod stack;

pub use render::{mermaid, text};
pub use stack::{Need, Purpose, Stack};

use functions::FUNCTIONS;
use stack::stack;

/// The workflow that needs every function to be live.
pub const INTEGRATION_TESTS: &str = "run-integration-tests";
const INTEGRATION_TESTS_REASON: &str = "Endpoint must be live before integration tests run";

/// The parameter that an output of the stack bootstrap gives to every function.
pub const PERMISSIONS_BOUNDARY: &str = "PermissionsBoundaryArn";

/// The stacks without functions, needed ones first.
const OTHERS: [Stack; 7] = [
    stack!("cognito", &[]),
    stack!("dynamodb-devices", &[]),
    stack!("dynamodb-registration-keys", &[]),
    stack!("s3-device-backups", &[]),
    stack!("shared-layer", &[]),
    stack!("api-gateway", &[Need { stack: "cognito", purpose: Purpose::UserPool }]),
    stack!("observability", &[Need { stack: "api-gateway", purpose: Purpose::Watch }]),
];

/// Every stack that CI deploys, needed ones first. CI itself needs the stack `bootstrap`, which is deployed by hand.
pub static STACKS: [Stack; OTHERS.len() + FUNCTIONS.len()] = {
    let mut stacks = [OTHERS[0]; OTHERS.len() + FUNCTIONS.len()];
    let mut index = 0;
    while index < stacks.len() {
        stacks[index] = if index < OTHERS.len() { OTHERS[index] } else { FUNCTIONS[index - OTHERS.len()] };
        index += 1;
    }
    stacks
};

/// A line of a stack's dependency tables.
#[derive(Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The other workflow.
    pub workflow: String,
    /// The reason for the order.
    pub reason: String,
}

impl Dependency {
    fn new(workflow: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { workflow: workflow.into(), reason: reason.into() }
    }
}

impl Stack {
    /// Returns the stack of a name such as `api-gateway`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        STACKS.iter().find(|stack| stack.name == name)
    }

    /// Returns the stack's name in CloudFormation.
    #[must_use]
    pub fn stack_name(&self) -> String {
        stack_name(self.name)
    }

    /// Returns the name of the workflow that deletes the stack.
    #[must_use]
    pub fn delete_workflow(&self) -> String {
        delete_workflow(self.name)
    }

    /// Returns whether the stack holds a function.
    #[must_use]
    pub fn is_function(&self) -> bool {
        self.name.starts_with("func-")
    }

    /// Iterates over the stacks that need this one, each with its need.
    pub fn dependents(&self) -> impl Iterator<Item = (&'static Self, &'static Need)> {
        let name = self.name;
        STACKS
            .iter()
            .flat_map(|other| other.needs.iter().map(move |need| (other, need)))
            .filter(move |(_, need)| need.stack == name)
    }

    /// Returns the stacks that are deployed before this one.
    #[must_use]
    pub fn deploy_dependencies(&self) -> Vec<Dependency> {
        self.needs.iter().map(|need| Dependency::new(need.stack, need.purpose.deploy_reason())).collect()
    }

    /// Returns the stacks that are deleted before this one.
    #[must_use]
    pub fn delete_dependencies(&self) -> Vec<Dependency> {
        self.dependents()
            .map(|(other, need)| Dependency::new(other.delete_workflow(), need.purpose.delete_prerequisite()))
            .collect()
    }

    /// Returns the workflows that need this stack to be deployed.
    #[must_use]
    pub fn required_by_deploy(&self) -> Vec<Dependency> {
        let tests = self.is_function().then(|| Dependency::new(INTEGRATION_TESTS, INTEGRATION_TESTS_REASON));
        self.dependents()
            .map(|(other, need)| Dependency::new(other.name, need.purpose.deploy_reason()))
            .chain(tests)
            .collect()
    }

    /// Returns the workflows that need this stack to be deleted.
    #[must_use]
    pub fn required_by_delete(&self) -> Vec<Dependency> {
        self.needs
            .iter()
            .map(|need| Dependency::new(delete_workflow(need.stack), need.purpose.delete_reason()))
            .collect()
    }
}

pub(crate) fn stack_name(name: &str) -> String {
    format!("firefly-{name}")
}

fn delete_workflow(name: &str) -> String {
    format!("delete-{name}")
}

/// Returns the stacks in deploy order. Those of one step need only stacks of earlier steps.
#[must_use]
pub fn deploy_order() -> Vec<Vec<&'static Stack>> {
    steps(|stack, placed| stack.needs.iter().all(|need| placed.iter().any(|other| other.name == need.stack)))
}

/// Returns the stacks in delete order. Those of one step are needed only by stacks of earlier steps.
#[must_use]
pub fn delete_order() -> Vec<Vec<&'static Stack>> {
    steps(|stack, placed| stack.dependents().all(|(other, _)| placed.iter().any(|gone| gone.name == other.name)))
}

/// Returns the stacks in steps. Each step has the stacks that are `ready` after the steps before it.
fn steps(ready: impl Fn(&'static Stack, &[&'static Stack]) -> bool) -> Vec<Vec<&'static Stack>> {
    let mut placed: Vec<&'static Stack> = Vec::new();
    let mut steps = Vec::new();
    loop {
        let step: Vec<_> = STACKS
            .iter()
            .filter(|stack| placed.iter().all(|other| other.name != stack.name) && ready(stack, &placed))
            .collect();
        if step.is_empty() {
            return steps;
        }
        placed.extend(&step);
        steps.push(step);
    }
}

#[cfg(test)]
mod tests {
    use super::{STACKS, Stack, delete_order, deploy_order};

    #[test]
    fn needs_name_earlier_stacks() {
        for (position, stack) in STACKS.iter().enumerate() {
            for need in stack.needs {
                assert!(
                    STACKS[..position].iter().any(|other| other.name == need.stack),
                    "{} needs {}",
                    stack.name,
                    need.stack
                );
            }
        }
    }

    #[test]
    fn both_orders_hold_every_stack_once() {
        for order in [deploy_order(), delete_order()] {
            let mut names: Vec<_> = order.concat().iter().map(|stack| stack.name).collect();
            names.sort_unstable();
            let mut all: Vec<_> = STACKS.iter().map(|stack| stack.name).collect();
            all.sort_unstable();
            assert_eq!(names, all);
        }
    }

    #[test]
    fn a_stack_is_found_only_by_its_own_name() {
        assert_eq!(Stack::named("cognito").map(Stack::stack_name).as_deref(), Some("firefly-cognito"));
        assert!(Stack::named("firefly-cognito").is_none());
        assert!(Stack::named("bootstrap").is_none());
    }
}
