//! Rendered files in any state: found by `--check`, and repaired.

use std::fs;
use std::time::SystemTime;

use crate::tree::{Tree, repository};

/// Files that are rendered as a whole.
fn whole_files() -> Vec<String> {
    let mut files = vec![
        "crates/firefly-deploy/src/graph/functions.rs".to_owned(),
        "crates/firefly-functions/src/list.rs".to_owned(),
        "stacks/observability.yaml".to_owned(),
    ];
    for entry in fs::read_dir(repository().join("lambdas")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        files.push(format!("lambdas/{name}/template.yaml"));
        files.extend(["deploy", "delete"].map(|verb| format!(".github/workflows/{verb}-{name}.yml")));
    }
    files.sort();
    files
}

#[test]
fn the_rendered_files_of_this_repository_are_as_they_are_rendered() {
    let stale = firefly_render::render(&repository()).unwrap().stale().unwrap();
    assert_eq!(stale, [""; 0], "`cargo run -p firefly-render` writes them");
}

#[test]
fn every_whole_file_says_what_rendered_it() {
    for file in whole_files() {
        let text = fs::read_to_string(repository().join(&file)).unwrap();
        let first = text.lines().next().unwrap();
        assert!(first.contains(" Rendered by firefly-render from ") && first.ends_with("; do not edit."), "{file}");
    }
}

#[test]
fn rendering_again_writes_nothing() {
    let tree = Tree::copy();
    let long_ago = SystemTime::UNIX_EPOCH;
    let files: Vec<_> = tree.snapshot().into_keys().collect();
    for file in &files {
        fs::File::options().append(true).open(tree.path(file)).unwrap().set_modified(long_ago).unwrap();
    }
    tree.succeeds(&[]);
    for file in &files {
        assert_eq!(fs::metadata(tree.path(file)).unwrap().modified().unwrap(), long_ago, "{file}");
    }
    tree.succeeds(&["--check"]);
}

#[test]
fn missing_files_are_named_and_made_again() {
    let tree = Tree::copy();
    let before = tree.snapshot();
    let files = whole_files();
    files.iter().for_each(|file| fs::remove_file(tree.path(file)).unwrap());
    let lines: Vec<_> = files.iter().map(|file| format!("{file} is missing")).collect();
    tree.fails(&["--check"], &lines.iter().map(String::as_str).collect::<Vec<_>>());
    tree.succeeds(&[]);
    assert!(tree.snapshot() == before);
}

#[test]
fn changed_files_are_named_and_repaired() {
    let tree = Tree::copy();
    let before = tree.snapshot();
    let regions = ["Cargo.toml", "samconfig.toml", "template.yaml", "stacks/api-gateway.yaml"];
    let mut files = whole_files();
    files.iter().for_each(|file| tree.write(file, ""));
    for file in regions.into_iter().chain([".github/workflows/deploy-all.yml", "crates/firefly-functions/Cargo.toml"]) {
        let text = tree.read(file);
        let (head, rest) = text.split_once("; do not edit\n").unwrap();
        let end = rest[..rest.find("# end ").unwrap()].rfind('\n').map_or(0, |line| line + 1);
        let rest = &rest[end..];
        tree.write(file, &format!("{head}; do not edit\n? not even its own language\n{rest}"));
        files.push(file.to_owned());
    }
    tree.edit("lambdas/func-api-health-get/Cargo.toml", "description = \"", "description = \"Old. ");
    files.push("lambdas/func-api-health-get/Cargo.toml".to_owned());
    files.sort();
    let lines: Vec<_> = files.iter().map(|file| format!("{file} is not as it is rendered")).collect();
    tree.fails(&["--check"], &lines.iter().map(String::as_str).collect::<Vec<_>>());
    tree.succeeds(&[]);
    assert!(tree.snapshot() == before);
}

#[test]
fn workflows_of_functions_that_are_gone_are_named_and_deleted() {
    let tree = Tree::copy();
    let before = tree.snapshot();
    for verb in ["deploy", "delete"] {
        let file = |name| format!(".github/workflows/{verb}-{name}.yml");
        fs::copy(tree.path(&file("func-api-health-get")), tree.path(&file("func-api-old-get"))).unwrap();
    }
    let lines = [
        ".github/workflows/delete-func-api-old-get.yml is of no function",
        ".github/workflows/deploy-func-api-old-get.yml is of no function",
    ];
    tree.fails(&["--check"], &lines);
    tree.succeeds(&[]);
    assert!(tree.snapshot() == before);
}

#[test]
fn a_folder_that_is_gone_is_taken_out_of_every_list() {
    let tree = Tree::copy();
    fs::remove_dir_all(tree.path("lambdas/func-api-devices-get")).unwrap();
    tree.succeeds(&[]);
    let left = tree.snapshot().into_iter().filter(|(_, text)| text.contains("func-api-devices-get"));
    assert_eq!(left.map(|(file, _)| file).collect::<Vec<_>>(), [""; 0]);
    assert!(!tree.path(".github/workflows/deploy-func-api-devices-get.yml").exists());
    tree.succeeds(&["--check"]);
}

#[test]
fn a_rendered_file_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt as _;
    let tree = Tree::copy();
    fs::set_permissions(tree.path("samconfig.toml"), fs::Permissions::from_mode(0o640)).unwrap();
    tree.edit("samconfig.toml", "on_failure", "off_failure");
    tree.succeeds(&[]);
    let mode = |file| fs::metadata(tree.path(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("samconfig.toml"), 0o640);
    fs::remove_file(tree.path("stacks/observability.yaml")).unwrap();
    tree.succeeds(&[]);
    assert_eq!(mode("stacks/observability.yaml"), 0o644);
}

#[test]
fn a_rendered_file_that_is_not_utf_8_is_repaired() {
    let tree = Tree::copy();
    let before = tree.snapshot();
    fs::write(tree.path("lambdas/func-api-health-get/template.yaml"), b"\xff").unwrap();
    tree.succeeds(&[]);
    assert!(tree.snapshot() == before);
}
