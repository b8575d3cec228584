//! The workflows as they are written, and their jobs and steps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use firefly_deploy::graph::{INTEGRATION_TESTS, STACKS};
use serde_yaml_ng::Value;

/// The workflows beside those of single stacks.
pub(crate) const OTHERS: [&str; 9] = [
    "ci",
    "delete-all",
    "deploy-all",
    "reusable-build",
    "reusable-delete",
    "reusable-deploy-data",
    "reusable-deploy-sam",
    "reusable-integration-tests",
    INTEGRATION_TESTS,
];
/// The workflows whose jobs act on an account.
pub(crate) const ACTING: [&str; 4] =
    ["reusable-delete", "reusable-deploy-data", "reusable-deploy-sam", "reusable-integration-tests"];

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn text(workflow: &str) -> String {
    let file = root().join(format!(".github/workflows/{workflow}.yml"));
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

pub(crate) fn parsed(workflow: &str) -> Value {
    serde_yaml_ng::from_str(&text(workflow)).unwrap()
}

pub(crate) fn jobs(workflow: &Value) -> BTreeMap<&str, &Value> {
    let jobs = workflow["jobs"].as_mapping().unwrap();
    jobs.iter().map(|(name, job)| (name.as_str().unwrap(), job)).collect()
}

/// One text or a sequence of them.
pub(crate) fn texts(value: &Value) -> BTreeSet<&str> {
    match value {
        Value::Sequence(items) => items.iter().map(|item| item.as_str().unwrap()).collect(),
        _ => value.as_str().into_iter().collect(),
    }
}

fn stack_workflows() -> impl Iterator<Item = String> {
    STACKS.iter().flat_map(|stack| [format!("deploy-{}", stack.name), stack.delete_workflow()])
}

pub(crate) fn all_workflows() -> Vec<String> {
    stack_workflows().chain(OTHERS.map(str::to_owned)).collect()
}

pub(crate) fn steps(job: &Value) -> &[Value] {
    job["steps"].as_sequence().unwrap()
}

/// Returns `true` if a step uses an action, such as `actions/cache` or a folder of it.
pub(crate) fn uses(step: &Value, action: &str) -> bool {
    step["uses"]
        .as_str()
        .is_some_and(|uses| uses.starts_with(&format!("{action}@")) || uses.starts_with(&format!("{action}/")))
}

/// The jobs that call a workflow which acts on an account.
pub(crate) fn calls_that_act(workflow: &Value) -> Vec<&Value> {
    let acts = |job: &&Value| {
        job["uses"].as_str().is_some_and(|file| ACTING.iter().any(|name| file.ends_with(&format!("/{name}.yml"))))
    };
    jobs(workflow).into_values().filter(acts).collect()
}
