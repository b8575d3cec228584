//! The README names every parameter of a deployment, who may deploy, and a test of every failure.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use firefly_deploy::graph::{PERMISSIONS_BOUNDARY, STACKS};
use firefly_deploy::holds_data;
use serde_yaml_ng::Value;

use super::workflow::{jobs, parsed, root};

/// GitHub's settings of the environment are all that keeps another branch from the deploy role.
#[test]
fn the_readme_lets_only_main_deploy() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for part in [
        "**Let only `main` deploy.**",
        "deployment-branch-policies -f name=main -f type=branch",
        "*Required reviewers*",
    ] {
        assert!(readme.contains(part), "{part}");
    }
}

/// The environment variable that firefly-deploy reads a parameter from: `DomainName` is `DOMAIN_NAME`.
fn variable(parameter: &str) -> String {
    let upper = |(position, letter): (usize, char)| {
        let break_before = letter.is_ascii_uppercase() && position > 0;
        [break_before.then_some('_'), Some(letter.to_ascii_uppercase())].into_iter().flatten()
    };
    parameter.chars().enumerate().flat_map(upper).collect()
}

/// The variables of the last step of a workflow's only job that it hands on from the environment of the same name.
fn variables_of(workflow: &str) -> BTreeSet<String> {
    let document = parsed(workflow);
    let (_, job) = jobs(&document).into_iter().next().unwrap();
    let step = job["steps"].as_sequence().unwrap().last().unwrap();
    let handed = step["env"]
        .as_mapping()
        .unwrap()
        .iter()
        .filter(|(name, value)| value.as_str() == Some(&format!("${{{{ vars.{} }}}}", name.as_str().unwrap())));
    handed.map(|(name, _)| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_parameter_can_be_set_and_readme_says_how() {
    let mut expected = BTreeSet::from(["ARTIFACT_BUCKET", "AWS_CLOUDFORMATION_ROLE_ARN"].map(str::to_owned));
    for stack in STACKS.iter().filter(|stack| !holds_data(stack)) {
        let template: Value = serde_yaml_ng::from_str(stack.template).unwrap();
        let from_outputs: Vec<_> =
            stack.needs.iter().flat_map(|need| need.purpose.outputs()).chain([&PERMISSIONS_BOUNDARY]).collect();
        let declared = template["Parameters"].as_mapping().unwrap().keys().map(|name| name.as_str().unwrap());
        expected.extend(declared.filter(|name| !from_outputs.contains(&name)).map(variable));
    }
    assert_eq!(variables_of("reusable-deploy-sam"), expected);
    let of_data = ["AWS_CLOUDFORMATION_ROLE_ARN", "BACKUP_BUCKET_NAME"].map(str::to_owned).into();
    assert_eq!(variables_of("reusable-deploy-data"), of_data);
    assert_eq!(variables_of("reusable-delete"), of_data);

    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let deploy = readme.split("\n## ").find(|section| section.starts_with("Deploy\n")).unwrap();
    for variable in expected.iter().map(String::as_str).chain(["AWS_DEPLOY_ROLE_ARN", "AWS_REGION"]) {
        assert!(deploy.contains(&format!("`{variable}`")), "README does not say what {variable} is");
    }
}

/// The text of every Rust test file below a folder.
fn tests_below(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_failure_in_readme_names_a_test_that_exists() {
    let mut tests = String::new();
    for folder in ["tests/tests", "crates/firefly-deploy/tests"] {
        tests_below(&root().join(folder), &mut tests);
    }
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let rows = readme.split("\n### When something is wrong\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<_> = rows.lines().filter(|line| line.starts_with("| ") && !line.ends_with("shown by |")).collect();
    // The scenarios of the three stack documents, and more.
    assert!(rows.len() > 14);
    for row in rows {
        let names: Vec<_> = row.trim_end_matches(" |").rsplit(" | ").next().unwrap().split(", ").collect();
        for name in names.iter().map(|name| name.trim_matches('`')) {
            let exists = name.contains('/') && root().join(name).is_file() || tests.contains(&format!("fn {name}()"));
            assert!(exists, "{name} is no test: {row}");
        }
    }
}
