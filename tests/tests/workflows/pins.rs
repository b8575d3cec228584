//! Actions, the toolchain and the system of the gates are pinned.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::workflow::{OTHERS, all_workflows, parsed, root, steps, text};

#[test]
fn actions_are_pinned_by_commit() {
    let mut commits: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for workflow in all_workflows() {
        for line in
            text(&workflow).lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("uses: "))
        {
            if let Some(file) = line.strip_prefix("./.github/workflows/") {
                let called = file.strip_suffix(".yml").unwrap();
                assert!(OTHERS.contains(&called) && called.starts_with("reusable-"), "{workflow} calls {called}");
                continue;
            }
            let (action, pin) = line.split_once('@').unwrap();
            let (commit, version) = pin.split_once(" # v").unwrap_or_else(|| panic!("{workflow}: {line}"));
            assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{workflow}: {line}");
            assert!(version.starts_with(|first: char| first.is_ascii_digit()), "{workflow}: {line}");
            let repository = action.splitn(3, '/').take(2).collect::<Vec<_>>().join("/");
            commits.entry(repository).or_default().insert(pin.to_owned());
        }
    }
    for (action, pins) in commits {
        assert_eq!(pins.len(), 1, "{action} at {pins:?}");
    }
}

#[test]
fn the_gates_run_on_debian_with_the_pinned_toolchain() {
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    let channel = toolchain.split("channel = \"").nth(1).unwrap().split('"').next().unwrap();
    let document = parsed("ci");
    let gates = &document["jobs"]["gates"];
    assert_eq!(gates["container"]["image"].as_str(), Some(format!("rust:{channel}-bookworm").as_str()));
    assert_eq!(steps(gates).last().unwrap()["run"].as_str(), Some(".ci/run"));
    // The workflow alone installs nothing that a gate needs.
    assert!(!text("ci").contains("apt-get"));
    let run = fs::read_to_string(root().join(".ci/run")).unwrap();
    let first = run.lines().find(|line| line.starts_with("step '"));
    assert_eq!(first, Some("step 'Debian packages' install_debian_packages"));
}
