//! ARCHITECTURE.md and CONTRIBUTING.md name paths that exist.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The texts in backquotes, code blocks aside.
fn quoted(document: &str) -> Vec<String> {
    let outside_blocks = document.split("```").step_by(2);
    outside_blocks.flat_map(|text| text.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Returns `true` for a path: it begins with a folder of the repository or of a function.
fn is_path(text: &str) -> bool {
    let folders = [".ci", ".github", "crates", "docs", "fuzz", "lambdas", "scripts", "src", "stacks", "tests"];
    text.split_once('/').is_some_and(|(folder, _)| folders.contains(&folder))
}

/// The paths that a pattern with braces stands for: `a{b,c}` is `ab` and `ac`.
fn without_braces(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else { return vec![pattern.to_owned()] };
    let (choices, after) = rest.split_once('}').unwrap();
    choices.split(',').flat_map(|choice| without_braces(&format!("{before}{choice}{after}"))).collect()
}

/// Returns `true` if a file or folder of this path is below `folder`. `*`, or `NAME`, stands for any text.
fn exists(folder: &Path, path: &str) -> bool {
    let Some((first, rest)) = path.split_once('/') else { return has_entry(folder, path, |_| true) };
    has_entry(folder, first, |below| below.is_dir() && (rest.is_empty() || exists(below, rest)))
}

fn has_entry(folder: &Path, pattern: &str, is_right: impl Fn(&Path) -> bool) -> bool {
    let pattern = pattern.replace("NAME", "*");
    let (start, end) = pattern.split_once('*').unwrap_or((&pattern, ""));
    let matches = |name: &str| match pattern.contains('*') {
        true => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
        false => name == pattern,
    };
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap());
    entries.filter(|entry| matches(entry.file_name().to_str().unwrap())).any(|entry| is_right(&entry.path()))
}

#[test]
fn every_path_that_a_document_names_exists() {
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let quoted = quoted(&fs::read_to_string(root().join(document)).unwrap());
        let paths: Vec<_> = quoted.iter().filter(|text| is_path(text)).flat_map(|text| without_braces(text)).collect();
        assert!(paths.len() > 5, "{document}: {paths:?}");
        for path in paths {
            // A path in a function's folder is one in each of them.
            let is_there = exists(&root(), &path) || exists(&root(), &format!("lambdas/*/{path}"));
            assert!(is_there, "{document}: {path}");
        }
    }
}

#[test]
fn a_pattern_stands_for_each_of_its_paths_and_a_missing_one_does_not_exist() {
    assert_eq!(without_braces("a/{b,c}/d.{e,f}"), ["a/b/d.e", "a/b/d.f", "a/c/d.e", "a/c/d.f"]);
    assert_eq!(quoted("`a` b `c`\n```text\n`d`\n```\n`e`"), ["a", "c", "e"]);
    for (path, is_there) in [
        ("tests/tests/documents.rs", true),
        ("tests/tests/", true),
        ("tests/tests/doc*.rs", true),
        ("stacks/NAME.yaml", true),
        ("lambdas/*/function.toml", true),
        ("tests/tests/documents.rs/", false),
        ("tests/tests/document.rs", false),
        ("tests/tests/doc*.toml", false),
        ("lambdas/*/function.yaml", false),
    ] {
        assert_eq!(exists(&root(), path), is_there, "{path}");
    }
}
