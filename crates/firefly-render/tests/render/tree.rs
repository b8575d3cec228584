//! A copy of the files that are read and rendered.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The files and folders that are copied.
const COPIED: [&str; 9] = [
    ".github/workflows",
    "Cargo.toml",
    "crates/firefly-deploy/src/graph",
    "crates/firefly-functions/Cargo.toml",
    "crates/firefly-functions/src",
    "lambdas",
    "samconfig.toml",
    "stacks",
    "template.yaml",
];

/// The functions of the smallest tree: four are called by devices.
const NINE: [&str; 9] = [
    "func-api-devices-backup-delete",
    "func-api-devices-backup-get",
    "func-api-devices-backup-post",
    "func-api-devices-get",
    "func-api-devices-register-post",
    "func-api-devices-registration-get",
    "func-api-health-get",
    "func-api-registration-keys-get",
    "func-api-registration-keys-post",
];
/// This repository's root.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A copy of the tree in a folder of its own.
pub(crate) struct Tree {
    folder: TempDir,
}

impl Tree {
    pub(crate) fn copy() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in COPIED {
            copy(&repository().join(part), &folder.path().join(part));
        }
        Self { folder }
    }

    /// A copy of the tree with nine functions.
    pub(crate) fn of_nine() -> Self {
        let tree = Self::copy();
        let read = firefly_render::Tree::read(tree.root()).unwrap();
        let names: Vec<_> = read.functions().iter().map(|function| function.name.as_str()).collect();
        for name in names.iter().filter(|name| !NINE.contains(name)) {
            tree.succeeds(&["remove", name]);
        }
        tree
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.root().join(file)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        fs::write(self.path(file), text).unwrap();
    }

    /// Replaces a text that stands in a file once or more.
    pub(crate) fn edit(&self, file: &str, old: &str, new: &str) {
        let text = self.read(file);
        assert!(text.contains(old), "{file} has no {old}");
        self.write(file, &text.replace(old, new));
    }

    /// Every file with its text.
    pub(crate) fn snapshot(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        collect(self.root(), self.root(), &mut found);
        found
    }

    /// Runs the command on this tree.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firefly-render"));
        command.arg("--root").arg(self.root()).args(arguments).output().unwrap()
    }

    /// Runs the command, which succeeds and prints nothing.
    pub(crate) fn succeeds(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{arguments:?}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
    }

    /// Runs the command, which fails with these lines and changes nothing.
    pub(crate) fn fails(&self, arguments: &[&str], lines: &[&str]) {
        let before = self.snapshot();
        let output = self.run(arguments);
        let expected: String = lines.iter().map(|line| format!("firefly-render: {line}\n")).collect();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), expected), "{arguments:?}");
        assert!(self.snapshot() == before, "{arguments:?} changes something");
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}
