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

/// Pip installs only what was looked at: beside it stands what is deployed, and credentials.
#[test]
fn pip_installs_by_hash_alone() {
    let folder = root().join(".ci/requirements");
    let files: BTreeSet<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut used = BTreeSet::new();
    for workflow in all_workflows() {
        for line in text(&workflow).lines().filter(|line| line.contains("pip install")) {
            let command = "run: python -m pip install --quiet --require-hashes --requirement .ci/requirements/";
            let file = line.trim().strip_prefix(command).unwrap_or_else(|| panic!("{workflow}: {line}"));
            used.insert(file.to_owned());
        }
    }
    assert_eq!(used, files);

    let constraints = fs::read_to_string(root().join(".ci/constraints.txt")).unwrap();
    for file in files {
        let text = fs::read_to_string(folder.join(&file)).unwrap();
        let lines = text.replace(" \\\n    --hash=", " --hash=");
        let mut packages = 0;
        assert!(lines.lines().any(|line| line == "--only-binary :all:"), "{file}");
        for line in lines.lines().filter(|line| !line.starts_with(['#', '-'])) {
            let (package, hashes) = line.split_once(" --hash=sha256:").unwrap_or_else(|| panic!("{file}: {line}"));
            let (name, version) = package.split_once("==").unwrap();
            let normal = |name: &str| name.to_lowercase().replace(['_', '.'], "-");
            // Two that pip itself brings are not in `pip freeze`.
            let same = |line: &&str| line.split_once("==").is_some_and(|(other, _)| normal(other) == normal(name));
            let pinned = constraints.lines().find(same).map(|line| line.split_once("==").unwrap().1);
            assert!(
                pinned.map_or(["setuptools", "wheel"].contains(&name), |pinned| pinned == version),
                "{file}: {package}"
            );
            let hashes = hashes.split(" --hash=sha256:");
            assert!(hashes.into_iter().all(|hash| hash.len() == 64), "{file}: {line}");
            packages += 1;
        }
        assert!(packages > 1, "{file}");
    }
}
