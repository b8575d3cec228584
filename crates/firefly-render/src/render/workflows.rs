//! The two workflows of a function, and the parts of the workflows that deploy and delete all stacks.

use std::fmt::Write as _;

use crate::function::FunctionToml;

/// The folder of the workflows.
pub(crate) const FOLDER: &str = ".github/workflows";

/// The file of the workflow that deploys or deletes the function of this name.
pub(crate) fn file(verb: &str, name: &str) -> String {
    format!("{FOLDER}/{verb}-{name}.yml")
}

/// The name of the function that a file name such as `deploy-func-api-health-get.yml` belongs to.
pub(crate) fn function_of(file_name: &str) -> Option<&str> {
    let rest = file_name.strip_prefix("deploy-").or_else(|| file_name.strip_prefix("delete-"))?;
    rest.strip_suffix(".yml").filter(|name| name.starts_with("func-"))
}

/// The workflow that deploys a function.
pub(crate) fn deploy(name: &str) -> String {
    let what = format!("firefly-deploy {name}");
    workflow(name, "deploy", "to", &what, "reusable-deploy-sam", "")
}

/// The workflow that deletes a function.
pub(crate) fn delete(name: &str) -> String {
    workflow(name, "delete", "from", "firefly-deploy", "reusable-delete", "      keep_data: false\n")
}

fn workflow(name: &str, verb: &str, preposition: &str, what: &str, calls: &str, more: &str) -> String {
    let title = format!("{}{}", verb[..1].to_uppercase(), &verb[1..]);
    format!(
        "# Rendered by firefly-render from lambdas/{name}/function.toml; do not edit.
name: {verb}-{name}

on:
  workflow_dispatch:
    inputs:
      environment:
        description: Environment to {verb} {preposition}
        required: true
        type: environment

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
{more}      environment: ${{{{ inputs.environment }}}}
      digest: ${{{{ needs.build.outputs.digest }}}}
"
    )
}

/// The stacks of the matrix of all functions.
pub(crate) fn matrix(functions: &[&FunctionToml]) -> String {
    list(functions, "          - ")
}

/// The packages that are built to deploy all stacks.
pub(crate) fn build(functions: &[&FunctionToml]) -> String {
    let indent = " ".repeat(8);
    format!("      what: >-\n{indent}firefly-deploy\n{indent}live\n{}", list(functions, &indent))
}

fn list(functions: &[&FunctionToml], before: &str) -> String {
    let mut out = String::new();
    for function in functions {
        let _ = writeln!(out, "{before}{}", function.name);
    }
    out
}
