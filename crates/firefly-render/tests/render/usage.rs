//! The command line: mistakes, help, and a root that is not there.

use std::process::Command;

use crate::tree::{Tree, text};

#[test]
fn a_mistaken_command_line_is_one_line_and_exit_2() {
    for (arguments, line) in [
        (&["rendre"][..], "unrecognized subcommand 'rendre'"),
        (&["--chek"], "unexpected argument '--chek' found"),
        (&["add"], "the following required arguments were not provided: <NAME>"),
        (&["remove"], "the following required arguments were not provided: <NAME>"),
        (&["remove", "a", "b"], "unexpected argument 'b' found"),
        (&["--root"], "a value is required for '--root <DIR>' but none was supplied"),
        (&["--check", "remove", "a"], "--check stands without a command"),
        (
            &["add", "func-api-x-get", "--caller", "admin"],
            "invalid value 'admin' for '--caller <CALLER>': allowed are anyone, device, key, user, super_user",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_firefly-render")).args(arguments).output().unwrap();
        let expected = format!("firefly-render: {line}; see --help\n");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(2), expected), "{arguments:?}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
    }
}

#[test]
fn help_is_printed_to_standard_output() {
    let output = Command::new(env!("CARGO_BIN_EXE_firefly-render")).arg("--help").output().unwrap();
    let stdout = text(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty());
    for part in ["add", "remove", "--check", "--root <DIR>"] {
        assert!(stdout.contains(part), "{stdout}");
    }
}

#[test]
fn a_missing_root_is_exit_1() {
    let tree = Tree::copy();
    std::fs::remove_dir_all(tree.root()).unwrap();
    let output = tree.run(&[]);
    let expected = "firefly-render: stacks: is missing; allowed is a tree with lambdas/ and stacks/\n";
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(1), expected));
}
