//! The stacks and what each needs of the others: the one table that deploy order, delete order, parameters and the
//! refusals of `delete` come from.

mod render;

pub use render::{mermaid, text};

/// The workflow that needs every function to be live.
pub const INTEGRATION_TESTS: &str = "run-integration-tests";
const INTEGRATION_TESTS_REASON: &str = "Endpoint must be live before integration tests run";

/// A stack that CI deploys and deletes.
#[derive(Debug)]
pub struct Stack {
    /// Name of its workflow and of its samconfig.toml environment.
    pub name: &'static str,
    /// Its template's text, as it was when this program was built.
    pub template: &'static str,
    /// The stacks that are there before it, and until after it is gone.
    pub needs: &'static [Need],
}

/// One stack's need of another.
#[derive(Debug)]
pub struct Need {
    /// The stack that is needed.
    pub stack: &'static str,
    /// What for.
    pub purpose: Purpose,
}

/// What a stack is needed for.
#[derive(Debug)]
pub enum Purpose {
    /// The routes of the HTTP API, and the outputs that name it.
    Route(&'static [&'static str]),
    /// The HTTP API whose metrics and access log are watched.
    Watch,
    /// The users whose tokens the API accepts.
    UserPool,
    /// The layer every function has, and the one passed through beside it.
    Layer,
    /// A table, with the access that is granted to it.
    Table(&'static str),
    /// The bucket, with the access that is granted to it.
    Bucket(&'static str),
}

impl Purpose {
    /// The outputs of the needed stack that are parameters, by the same name, of the stack that needs it.
    #[must_use]
    pub fn outputs(&self) -> &'static [&'static str] {
        match self {
            Self::Route(outputs) => outputs,
            Self::Watch => &["ApiId"],
            Self::UserPool => &["UserPoolId", "UserPoolClientId"],
            Self::Layer => &["SharedLayerArn", "AppConfigExtensionLayerArn"],
            // Their names are fixed or come from the environment: a function deploys without them.
            Self::Table(_) | Self::Bucket(_) => &[],
        }
    }

    fn deploy_reason(&self) -> String {
        match self {
            Self::Route(outputs) => format!("{} resolved from stack outputs", outputs.join(" and ")),
            Self::Watch => "ApiId resolved from stack outputs".to_owned(),
            Self::UserPool => "UserPoolId and UserPoolClientId resolved from stack outputs".to_owned(),
            Self::Layer => "Lambda layer must exist before function deployment".to_owned(),
            Self::Table(access) => {
                format!("Table must exist before the function is deployed and granted {access} access")
            }
            Self::Bucket(access) => {
                format!("S3 bucket must exist before the function is deployed and granted {access} access")
            }
        }
    }

    /// Why the needing stack goes first, said on its own page.
    fn delete_reason(&self) -> &'static str {
        match self {
            Self::Route(_) => "Route registration must be removed before the API Gateway stack is deleted",
            Self::Watch => "Alarms of an API that is gone would stay silent for the one that follows it",
            Self::UserPool => "JWT authorizer referencing the user pool must be removed first",
            Self::Layer => "Layer reference must be removed before the layer stack is deleted",
            Self::Table(_) => "IAM permissions referencing the table must be removed first",
            Self::Bucket(_) => "IAM permissions referencing the bucket must be removed first",
        }
    }

    /// The same, said on the needed stack's page.
    fn delete_prerequisite(&self) -> &'static str {
        match self {
            Self::Table(_) => "Lambda IAM permissions referencing this table must be removed first",
            Self::Bucket(_) => "Lambda IAM permissions referencing this bucket must be removed first",
            _ => self.delete_reason(),
        }
    }
}

const API: Need = Need { stack: "api-gateway", purpose: Purpose::Route(&["ApiId"]) };
const API_FOR_USERS: Need = Need { stack: "api-gateway", purpose: Purpose::Route(&["ApiId", "AuthorizerId"]) };
const LAYER: Need = Need { stack: "shared-layer", purpose: Purpose::Layer };

const fn devices(access: &'static str) -> Need {
    Need { stack: "dynamodb-devices", purpose: Purpose::Table(access) }
}

const fn registration_keys(access: &'static str) -> Need {
    Need { stack: "dynamodb-registration-keys", purpose: Purpose::Table(access) }
}

const fn backups(access: &'static str) -> Need {
    Need { stack: "s3-device-backups", purpose: Purpose::Bucket(access) }
}

macro_rules! stack {
    ($name:literal, $needs:expr) => {
        Stack { name: $name, template: include_str!(concat!("../../../stacks/", $name, ".yaml")), needs: $needs }
    };
}

macro_rules! function {
    ($name:literal, $needs:expr) => {
        Stack {
            name: $name,
            template: include_str!(concat!("../../../lambdas/", $name, "/template.yaml")),
            needs: $needs,
        }
    };
}

/// Every stack CI deploys, needed ones first. The stack `bootstrap`, which CI itself works with, is deployed by hand.
pub static STACKS: [Stack; 16] = [
    stack!("cognito", &[]),
    stack!("dynamodb-devices", &[]),
    stack!("dynamodb-registration-keys", &[]),
    stack!("s3-device-backups", &[]),
    stack!("shared-layer", &[]),
    stack!("api-gateway", &[Need { stack: "cognito", purpose: Purpose::UserPool }]),
    stack!("observability", &[Need { stack: "api-gateway", purpose: Purpose::Watch }]),
    function!("func-api-health-get", &[API, LAYER]),
    function!("func-api-registration-keys-post", &[API_FOR_USERS, registration_keys("write"), LAYER]),
    function!("func-api-registration-keys-get", &[API_FOR_USERS, registration_keys("scan"), LAYER]),
    function!("func-api-devices-register-post", &[API, devices("read/write"), registration_keys("read/delete"), LAYER]),
    function!("func-api-devices-registration-get", &[API, devices("read/write"), LAYER]),
    function!("func-api-devices-backup-post", &[API, devices("read/write"), LAYER, backups("put/head")]),
    function!("func-api-devices-backup-get", &[API, devices("read/write"), LAYER, backups("get")]),
    function!("func-api-devices-backup-delete", &[API, devices("read/write"), LAYER, backups("delete")]),
    function!("func-api-devices-get", &[API_FOR_USERS, devices("scan"), LAYER]),
];

/// A line of a stack's dependency tables.
#[derive(Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The other workflow.
    pub workflow: String,
    /// Why the order matters.
    pub reason: String,
}

impl Dependency {
    fn new(workflow: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { workflow: workflow.into(), reason: reason.into() }
    }
}

impl Stack {
    /// The stack of a name such as `api-gateway`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        STACKS.iter().find(|stack| stack.name == name)
    }

    /// Its name in CloudFormation.
    #[must_use]
    pub fn stack_name(&self) -> String {
        stack_name(self.name)
    }

    /// Name of the workflow that deletes it.
    #[must_use]
    pub fn delete_workflow(&self) -> String {
        delete_workflow(self.name)
    }

    /// Whether it holds a function.
    #[must_use]
    pub fn is_function(&self) -> bool {
        self.name.starts_with("func-")
    }

    /// The stacks that need this one, each with its need.
    pub fn dependents(&self) -> impl Iterator<Item = (&'static Self, &'static Need)> {
        let name = self.name;
        STACKS
            .iter()
            .flat_map(|other| other.needs.iter().map(move |need| (other, need)))
            .filter(move |(_, need)| need.stack == name)
    }

    /// What is deployed before this stack.
    #[must_use]
    pub fn deploy_dependencies(&self) -> Vec<Dependency> {
        self.needs.iter().map(|need| Dependency::new(need.stack, need.purpose.deploy_reason())).collect()
    }

    /// What is deleted before this stack.
    #[must_use]
    pub fn delete_dependencies(&self) -> Vec<Dependency> {
        self.dependents()
            .map(|(other, need)| Dependency::new(other.delete_workflow(), need.purpose.delete_prerequisite()))
            .collect()
    }

    /// What needs this stack to be deployed.
    #[must_use]
    pub fn required_by_deploy(&self) -> Vec<Dependency> {
        let tests = self.is_function().then(|| Dependency::new(INTEGRATION_TESTS, INTEGRATION_TESTS_REASON));
        self.dependents()
            .map(|(other, need)| Dependency::new(other.name, need.purpose.deploy_reason()))
            .chain(tests)
            .collect()
    }

    /// What needs this stack to be deleted.
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

/// The stacks in deploy order: those of one step need only stacks of earlier steps.
#[must_use]
pub fn deploy_order() -> Vec<Vec<&'static Stack>> {
    steps(|stack, placed| stack.needs.iter().all(|need| placed.iter().any(|other| other.name == need.stack)))
}

/// The stacks in delete order: those of one step are needed only by stacks of earlier steps.
#[must_use]
pub fn delete_order() -> Vec<Vec<&'static Stack>> {
    steps(|stack, placed| stack.dependents().all(|(other, _)| placed.iter().any(|gone| gone.name == other.name)))
}

/// Steps of stacks, each step those that are `ready` after the steps before it.
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
    fn needs_name_stacks_that_stand_before() {
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
    fn a_stack_is_found_by_its_own_name_alone() {
        assert_eq!(Stack::named("cognito").map(Stack::stack_name).as_deref(), Some("firefly-cognito"));
        assert!(Stack::named("firefly-cognito").is_none());
        assert!(Stack::named("bootstrap").is_none());
    }
}
