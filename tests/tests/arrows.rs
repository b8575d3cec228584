//! Dependencies between the workspace's crates point down, as ARCHITECTURE.md draws them.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// A crate, and the crates that its code may depend on. `*` stands for any text.
const MAY_DEPEND_ON: [(&str, &[&str]); 17] = [
    ("firefly-capacity", &["firefly-output"]),
    ("firefly-core", &[]),
    ("firefly-output", &[]),
    ("firefly-templates", &[]),
    ("firefly-runtime", &["firefly-core"]),
    ("firefly-stores", &["firefly-core", "firefly-runtime"]),
    ("firefly-http", &["firefly-core", "firefly-runtime", "firefly-stores"]),
    ("func-*", &["firefly-core", "firefly-http", "firefly-runtime", "firefly-stores"]),
    ("firefly-functions", &["firefly-core", "firefly-http", "firefly-runtime", "firefly-templates", "func-*"]),
    ("firefly-device", &["firefly-core", "firefly-output"]),
    ("firefly-deploy", &["firefly-output", "firefly-templates"]),
    ("firefly-render", &["firefly-templates"]),
    ("emulator-*", &["emulator-kit"]),
    // The broker judges connections by the certificates and policies of the control plane.
    ("emulator-mqtt", &["emulator-iot"]),
    (
        "firefly-local",
        &[
            "emulator-*",
            "firefly-core",
            "firefly-functions",
            "firefly-http",
            "firefly-output",
            "firefly-runtime",
            "firefly-stores",
            "firefly-templates",
        ],
    ),
    (
        "firefly-testkit",
        &[
            "emulator-kit",
            "firefly-core",
            "firefly-device",
            "firefly-functions",
            "firefly-local",
            "firefly-runtime",
            "firefly-stores",
            "firefly-templates",
        ],
    ),
    ("firefly-bench", &["emulator-kit", "firefly-core", "firefly-device", "firefly-testkit"]),
];

/// A crate, and the crates that its tests may depend on in addition.
const TESTS_MAY_DEPEND_ON: [(&str, &[&str]); 4] = [
    ("func-*", &["firefly-testkit"]),
    // The local cloud is not among them: their tests are not to build every function.
    ("firefly-stores", &["emulator-*"]),
    ("firefly-local", &["firefly-device"]),
    ("firefly-tests", &["*"]),
];

fn is(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

fn allowed(table: &[(&str, &[&str])], name: &str, other: &str) -> bool {
    let of_crate = table.iter().filter(|(pattern, _)| is(pattern, name));
    of_crate.flat_map(|(_, others)| *others).any(|pattern| is(pattern, other))
}

/// The workspace's packages as cargo reads them.
fn packages() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let arguments = ["metadata", "--no-deps", "--format-version", "1", "--locked", "--offline"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn every_dependency_points_down() {
    let packages = packages();
    let own: Vec<_> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let mut seen = 0;
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            if !own.contains(&other) {
                continue;
            }
            seen += 1;
            let in_code = allowed(&MAY_DEPEND_ON, name, other);
            match dependency["kind"].as_str() {
                None => assert!(in_code, "{name} depends on {other}"),
                Some("dev") => {
                    let in_tests = in_code || allowed(&TESTS_MAY_DEPEND_ON, name, other);
                    assert!(in_tests, "the tests of {name} depend on {other}");
                }
                Some(kind) => panic!("{name} depends on {other} as {kind}"),
            }
        }
    }
    assert!(seen > packages.len());
}

#[test]
fn every_row_of_the_tables_is_of_a_dependency() {
    let packages = packages();
    let dependencies: Vec<_> = packages
        .iter()
        .flat_map(|package| package["dependencies"].as_array().unwrap().iter().map(move |other| (package, other)))
        .map(|(package, other)| [&package["name"], &other["name"]].map(|name| name.as_str().unwrap()))
        .collect();
    for (pattern, others) in MAY_DEPEND_ON.iter().chain(&TESTS_MAY_DEPEND_ON) {
        for other in *others {
            let is_used = dependencies.iter().any(|[from, to]| is(pattern, from) && is(other, to));
            assert!(is_used, "{pattern} does not depend on {other}");
        }
    }
}

#[test]
fn every_crate_has_its_place() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let known =
            MAY_DEPEND_ON.iter().any(|(pattern, _)| is(pattern, name)) || ["firefly-tests", "hello"].contains(&name);
        assert!(known, "{name} has no line in the table");
    }
}

/// A unit test of a function that used the test kit would link a second copy of the function.
#[test]
fn functions_use_the_test_kit_from_their_tests_folder_alone() {
    let lambdas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lambdas");
    for folder in std::fs::read_dir(lambdas).unwrap() {
        let source = folder.unwrap().path().join("src");
        for file in std::fs::read_dir(source).unwrap() {
            let path = file.unwrap().path();
            let code = std::fs::read_to_string(&path).unwrap();
            assert!(!code.contains("firefly_testkit"), "{}", path.display());
        }
    }
}
