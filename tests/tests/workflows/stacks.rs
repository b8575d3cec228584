//! Every stack has its pair of workflows, and those of all stacks go in the order of the graph.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use firefly_deploy::graph::{INTEGRATION_TESTS, STACKS, Stack};
use firefly_deploy::holds_data;
use serde_yaml_ng::Value;

use super::workflow::{all_workflows, jobs, parsed, root, steps, text, texts};

/// The workflow that deploys a stack of this kind.
fn deploys(stack: &Stack) -> &'static str {
    if holds_data(stack) { "reusable-deploy-data" } else { "reusable-deploy-sam" }
}

/// A workflow of one stack: the packages that are built for it, and one call.
fn workflow_of(
    stack: &Stack,
    verb: &str,
    preposition: &str,
    calls: &str,
    what: &str,
    keep_data: Option<&str>,
) -> String {
    let name = stack.name;
    let asks = match keep_data {
        Some("${{ inputs.keep_data }}") => {
            "      keep_data:\n        description: Keep the table; the next deploy adopts it\n        required: true\n        type: boolean\n"
        }
        _ => "",
    };
    let keep_data = keep_data.map(|value| format!("      keep_data: {value}\n")).unwrap_or_default();
    let title = format!("{}{}", verb[..1].to_uppercase(), &verb[1..]);
    let rendered = format!("# Rendered by firefly-render from lambdas/{name}/function.toml; do not edit.\n");
    let head = if stack.is_function() { rendered } else { String::new() };
    format!(
        "{head}name: {verb}-{name}

on:
  workflow_dispatch:
    inputs:
      environment:
        description: Environment to {verb} {preposition}
        required: true
        type: environment
{asks}
permissions: {{}}

jobs:
  build:
    name: Build
    uses: ./.github/workflows/reusable-build.yml
    permissions:
      contents: read # to check the repository out
      id-token: write # to sign the attestation
      attestations: write # to store it
    with:
      what: {what}
  {verb}:
    name: {title}
    needs: build
    uses: ./.github/workflows/{calls}.yml
    permissions:
      contents: read # to check the repository out
      id-token: write # to assume the deploy role
      attestations: read # to verify the binaries
    with:
      stack: {name}
{keep_data}      environment: ${{{{ inputs.environment }}}}
      digest: ${{{{ needs.build.outputs.digest }}}}
"
    )
}

#[test]
fn every_stack_has_its_pair_and_nothing_else_is_there() {
    for stack in &STACKS {
        let what =
            if stack.is_function() { format!("firefly-deploy {}", stack.name) } else { "firefly-deploy".to_owned() };
        let expected = workflow_of(stack, "deploy", "to", deploys(stack), &what, None);
        assert_eq!(text(&format!("deploy-{}", stack.name)), expected);
        // The bucket always stays; of a table the operator is asked.
        let table = stack.name.starts_with("dynamodb-");
        let keep_data = if table { "${{ inputs.keep_data }}" } else { "false" };
        let expected = workflow_of(stack, "delete", "from", "reusable-delete", "firefly-deploy", Some(keep_data));
        assert_eq!(text(&stack.delete_workflow()), expected);
    }
    let folder = fs::read_dir(root().join(".github/workflows")).unwrap();
    let found: BTreeSet<_> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, all_workflows().iter().map(|name| format!("{name}.yml")).collect());
}

/// The stacks of each job of a workflow that deploys or deletes them all.
fn stacks_of<'a>(jobs: &BTreeMap<&'a str, &'a Value>) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let stacks = jobs.iter().filter_map(|(name, job)| match job["with"]["stack"].as_str()? {
        "${{ matrix.stack }}" => Some((*name, texts(&job["strategy"]["matrix"]["stack"]))),
        stack => Some((*name, [stack].into())),
    });
    stacks.collect()
}

/// Asserts that each job needs exactly the jobs whose stacks go before its own.
fn assert_order(workflow: &str, before: impl Fn(&'static Stack) -> BTreeSet<&'static str>) {
    let document = parsed(workflow);
    let jobs = jobs(&document);
    let stacks = stacks_of(&jobs);
    let job_of = |stack: &str| *stacks.iter().find(|(_, stacks)| stacks.contains(stack)).unwrap().0;
    let all: Vec<_> = stacks.values().flatten().copied().collect();
    assert_eq!(all.len(), STACKS.len(), "{workflow}");
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), STACKS.iter().map(|stack| stack.name).collect(), "{workflow}");
    for (job, own) in &stacks {
        let mut expected: BTreeSet<_> =
            own.iter().flat_map(|stack| before(Stack::named(stack).unwrap())).map(job_of).collect();
        // A job sees the outputs, such as the digest, of those alone that it needs itself.
        expected.insert("build");
        assert_eq!(texts(&jobs[job]["needs"]), expected, "{workflow}: {job}");
        assert_eq!(jobs[job]["with"]["environment"].as_str(), Some("${{ inputs.environment }}"), "{workflow}: {job}");
        assert!(jobs[job].get("if").is_none(), "{workflow}: {job}");
    }
    // The functions alone share a job. It runs three of them at once, and a failure does not end the others.
    let functions = STACKS.iter().filter(|stack| stack.is_function()).map(|stack| stack.name).collect::<BTreeSet<_>>();
    let shared: Vec<_> = stacks.iter().filter(|(_, stacks)| stacks.len() > 1).collect();
    assert_eq!(shared, [(&"functions", &functions)], "{workflow}");
    let strategy = &jobs["functions"]["strategy"];
    assert_eq!(
        (strategy["max-parallel"].as_u64(), strategy["fail-fast"].as_bool()),
        (Some(3), Some(false)),
        "{workflow}"
    );
    assert_eq!(document["concurrency"]["group"].as_str(), Some("all-${{ inputs.environment }}"), "{workflow}");
    assert_eq!(document["concurrency"]["cancel-in-progress"].as_bool(), Some(false), "{workflow}");
    assert_eq!(document["concurrency"]["queue"].as_str(), Some("max"), "{workflow}");
}

#[test]
fn deploy_all_goes_in_the_order_of_the_graph() {
    assert_order("deploy-all", |stack| stack.needs.iter().map(|need| need.stack).collect());
    let document = parsed("deploy-all");
    let jobs = jobs(&document);
    for (job, stacks) in stacks_of(&jobs) {
        for stack in stacks {
            let expected = format!("./.github/workflows/{}.yml", deploys(Stack::named(stack).unwrap()));
            assert_eq!(jobs[job]["uses"].as_str(), Some(expected.as_str()), "{stack}");
        }
    }
    assert_eq!(texts(&jobs[INTEGRATION_TESTS]["needs"]), ["build", "functions"].into());
    // One build for all.
    let built: BTreeSet<_> = jobs["build"]["with"]["what"].as_str().unwrap().split_whitespace().collect();
    let functions = STACKS.iter().filter(|stack| stack.is_function()).map(|stack| stack.name);
    assert_eq!(built, functions.chain(["firefly-deploy", "live"]).collect());
}

#[test]
fn delete_all_goes_in_the_order_of_the_graph_and_keeps_the_data() {
    assert_order("delete-all", |stack| stack.dependents().map(|(dependent, _)| dependent.name).collect());
    let document = parsed("delete-all");
    for (job, definition) in jobs(&document).into_iter().filter(|(job, _)| !["build", "confirm"].contains(job)) {
        assert_eq!(definition["uses"].as_str(), Some("./.github/workflows/reusable-delete.yml"), "{job}");
        assert_eq!(definition["with"]["keep_data"].as_bool(), Some(true), "{job}");
    }
}

#[test]
fn delete_all_does_nothing_until_the_environment_is_typed() {
    let document = parsed("delete-all");
    let input = &document["on"]["workflow_dispatch"]["inputs"]["confirmation"];
    assert_eq!((input["required"].as_bool(), input["type"].as_str()), (Some(true), Some("string")));
    let jobs = jobs(&document);
    // Every other job waits for the build.
    assert_eq!(texts(&jobs["build"]["needs"]), ["confirm"].into());
    let [step] = steps(jobs["confirm"]) else { panic!("one step compares") };
    assert_eq!(step["env"]["CONFIRMATION"].as_str(), Some("${{ inputs.confirmation }}"));
    assert_eq!(step["env"]["ENVIRONMENT"].as_str(), Some("${{ inputs.environment }}"));
    for (typed, expected) in [
        ("delete production", true),
        ("", false),
        ("production", false),
        ("delete staging", false),
        ("Delete production", false),
        ("delete production ", false),
        ("delete *", false),
    ] {
        let mut compare = Command::new("bash");
        compare.args(["-euo", "pipefail", "-c", step["run"].as_str().unwrap()]);
        let output = compare.env("CONFIRMATION", typed).env("ENVIRONMENT", "production").output().unwrap();
        assert_eq!(output.status.success(), expected, "{typed:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), usize::from(!expected), "{said}");
        assert!(expected || said.contains("nothing was touched"), "{said}");
    }
}
