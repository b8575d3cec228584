//! Rules of the repository that the compiler does not check.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Path (from the root) and code, without comments and test modules, of every Rust file below `folder`.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                let lines = code.lines().map(|line| line.split("//").next().unwrap());
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, lines.collect::<Vec<_>>().join("\n")));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found.sort();
    found
}

fn lambdas() -> Vec<String> {
    let entries = fs::read_dir(root().join("lambdas")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() > 1, "{names:?}");
    names
}

fn assert_absent(folder: &str, words: &[&str], except: &[&str]) {
    for (name, code) in sources(folder) {
        for word in words {
            assert!(except.contains(&name.as_str()) || !code.contains(word), "{name} says {word}");
        }
    }
}

fn cargo_tree(package: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--package", package])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_core_is_pure() {
    for line in cargo_tree("firefly-core").lines() {
        let impure = ["tokio", "aws-", "lambda_", "hyper", "http ", "reqwest"];
        assert!(!impure.iter().any(|name| line.starts_with(name)), "firefly-core depends on {line}");
    }
    let words = ["async ", ".await", "env::", "SystemTime", "Instant", "std::fs", "std::net", "rand::rng", "SysRng"];
    assert_absent("crates/firefly-core/src", &words, &[]);
}

#[test]
fn evidence_is_made_in_one_place() {
    let makes = |name: &str| {
        let word = format!("{name} {{");
        let made =
            |line: &&str| line.contains(&word) && !["struct ", "impl ", "-> "].iter().any(|other| line.contains(other));
        let sources = [sources("crates"), sources("lambdas")].concat();
        let sources = sources.iter().filter(|(file, _)| file.contains("/src/"));
        sources.map(|(_, code)| code.lines().filter(made).count()).sum::<usize>()
    };
    assert_eq!(makes("VerifiedDevice"), 1);
    assert_eq!(makes("SignatureVerified"), 1);
    assert_eq!(makes("SuperUser"), 1);
}

#[test]
fn functions_are_thin() {
    for name in lambdas() {
        let main = fs::read_to_string(root().join(format!("lambdas/{name}/src/main.rs"))).unwrap();
        assert!(main.lines().count() <= 20, "{name}/src/main.rs is long");
        let handler = fs::read_to_string(root().join(format!("lambdas/{name}/src/lib.rs"))).unwrap();
        let body = handler.split("async fn handle(").nth(1).expect("a handler");
        let length = body.lines().position(|line| line == "    }").expect("the handler's end");
        assert!(length <= 25, "{name}'s handler has {length} lines");
    }
    let failures = ["StatusCode::BAD", "StatusCode::UNAUTHORIZED", "StatusCode::FORBIDDEN", "StatusCode::NOT_FOUND"];
    assert_absent("lambdas", &failures, &[]);
    assert_absent("lambdas", &["aws_sdk_", "headers()", "StatusCode::INTERNAL", "StatusCode::CONFLICT"], &[]);
}

#[test]
fn only_main_reads_the_environment_and_the_clock() {
    let words = ["env::var", "SystemTime::now"];
    assert_absent("crates/firefly-core/src", &words, &[]);
    assert_absent("crates/firefly-runtime/src", &words, &["crates/firefly-runtime/src/run.rs"]);
    assert_absent("crates/firefly-stores/src", &words, &[]);
    assert_absent("crates/firefly-http/src", &words, &[]);
    assert_absent("crates/firefly-local/src", &["env::var"], &["crates/firefly-local/src/main.rs"]);
    assert_absent("lambdas", &words, &[]);
}

/// The runtime names no table, bucket or HTTP answer, and the stores name no HTTP answer.
#[test]
fn each_crate_below_the_functions_knows_its_own_subject_alone() {
    for (package, others) in [
        (
            "firefly-runtime",
            &["firefly-http ", "firefly-stores ", "lambda_http ", "aws-sdk-dynamodb ", "aws-sdk-s3 "][..],
        ),
        ("firefly-stores", &["firefly-http ", "lambda_http "]),
    ] {
        let tree = cargo_tree(package);
        let found: Vec<_> = tree.lines().filter(|line| others.iter().any(|other| line.starts_with(other))).collect();
        assert_eq!(found, Vec::<&str>::new(), "{package}");
    }
    assert_absent("crates/firefly-runtime/src", &["StatusCode", "TABLE_NAME", "BUCKET_NAME"], &[]);
    assert_absent("crates/firefly-stores/src", &["ApiError", "StatusCode", "query_parameter"], &[]);
}

/// Crates of this workspace that a function's binary contains run for every request, and are built for speed.
#[test]
fn the_release_profile_names_every_crate_of_the_functions() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, profile) = manifest.split_once("[profile.release.package]\n").unwrap();
    let overridden = profile.lines().take_while(|line| !line.starts_with('['));
    let overridden: BTreeSet<_> = overridden
        .filter(|line| line.starts_with("firefly-"))
        .map(|line| line.replace(" = { opt-level = 3 }", ""))
        .collect();
    let linked = |tree: String| -> Vec<String> {
        let names = tree.lines().filter_map(|line| line.split(' ').next());
        names.filter(|name| name.starts_with("firefly-")).map(str::to_owned).collect()
    };
    let linked: BTreeSet<_> = lambdas().iter().flat_map(|name| linked(cargo_tree(name))).collect();
    assert_eq!(overridden, linked);
}

/// Debug and trace events are compiled out of every function that is released.
#[test]
fn released_functions_hold_no_debug_events() {
    let manifest = fs::read_to_string(root().join("crates/firefly-runtime/Cargo.toml")).unwrap();
    assert!(manifest.contains("tracing = { workspace = true, features = [\"release_max_level_info\"] }"));
}

/// A panic of a handler is answered as an error of that one invocation, which needs unwinding. cargo-lambda chooses `abort`
/// where the profile is silent.
#[test]
fn released_functions_unwind() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, profile) = manifest.split_once("[profile.release]\n").unwrap();
    let settings: Vec<_> = profile.lines().take_while(|line| !line.starts_with('[')).collect();
    assert!(settings.contains(&"panic = \"unwind\""), "{settings:?}");
    let config = fs::read_to_string(root().join(".cargo/config.toml")).unwrap_or_default();
    assert!(!config.contains("panic"), "{config}");
}

/// An emulator is AWS on the loopback interface, for any program: neither code nor comment names this project.
#[test]
fn an_emulator_knows_nothing_of_firefly() {
    for entry in fs::read_dir(root().join("crates/emulators")).unwrap() {
        let folder = format!("crates/emulators/{}", entry.unwrap().file_name().into_string().unwrap());
        let files = sources(&folder).into_iter().map(|(name, _)| name).chain([format!("{folder}/Cargo.toml")]);
        for name in files {
            let text = fs::read_to_string(root().join(&name)).unwrap().to_lowercase();
            assert!(!text.contains("firefly") && !text.contains("func-api-"), "{name}");
        }
        assert_absent(&format!("{folder}/src"), &["env::var"], &[]);
    }
}

/// The schemas of the OpenAPI document are behind a feature.
#[test]
fn a_function_is_built_without_schemas() {
    for name in lambdas() {
        let tree = cargo_tree(&name);
        let schemas: Vec<_> = tree.lines().filter(|line| line.starts_with("schemars")).collect();
        assert_eq!(schemas, Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn a_rust_file_has_at_most_400_lines() {
    for (name, _) in ["crates", "lambdas", "tests", "fuzz/fuzz_targets"].iter().flat_map(|folder| sources(folder)) {
        let lines = fs::read_to_string(root().join(&name)).unwrap().lines().count();
        assert!(lines <= 400, "{name} has {lines} lines");
    }
}

#[test]
fn no_doc_comment_begins_with_a_question_word() {
    let doc = |line: &str| {
        let text = ["//!", "///"].iter().find_map(|mark| line.trim_start().strip_prefix(*mark))?;
        Some(text.trim_start().split(|letter: char| !letter.is_alphabetic()).next().unwrap_or_default().to_owned())
    };
    for (name, _) in ["crates", "lambdas", "tests", "fuzz/fuzz_targets"].iter().flat_map(|folder| sources(folder)) {
        let mut is_inside = false;
        for line in fs::read_to_string(root().join(&name)).unwrap().lines() {
            let first_word = doc(line);
            let asks = first_word.as_deref().is_some_and(|word| ["What", "How", "Why", "Whether"].contains(&word));
            assert!(is_inside || !asks, "{name}: {line}");
            is_inside = first_word.is_some();
        }
    }
}

#[test]
fn a_function_knows_no_other_function() {
    for name in lambdas() {
        let tree = cargo_tree(&name);
        let others =
            tree.lines().filter(|line| line.starts_with("func-api-") && !line.starts_with(&format!("{name} ")));
        assert_eq!(others.collect::<Vec<_>>(), Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn every_package_inherits_the_lints() {
    let mut manifests: Vec<_> = lambdas().iter().map(|name| format!("lambdas/{name}")).collect();
    for parent in ["crates", "crates/emulators"] {
        let folders = fs::read_dir(root().join(parent)).unwrap();
        let folders = folders.map(|entry| format!("{parent}/{}", entry.unwrap().file_name().into_string().unwrap()));
        manifests.extend(folders.filter(|folder| folder != "crates/emulators"));
    }
    manifests.push("tests".to_owned());
    for folder in manifests {
        let manifest = fs::read_to_string(root().join(&folder).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{folder}");
    }
}

#[test]
fn there_is_one_tls_stack() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let versions: Vec<_> = lock.split("name = \"rustls\"\nversion = \"").skip(1).map(|rest| &rest[..4]).collect();
    assert_eq!(versions, ["0.23"]);
    assert!(!lock.contains("name = \"openssl-sys\""));
}

#[test]
fn the_architecture_fits_on_a_few_screens() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(text.lines().count() < 200);
}
