//! Folders, stores and hand-written files that do not fit together.

use std::fs;

use crate::tree::Tree;

const FORM: &str =
    "func-api- and words of small letters and digits, each beginning with a letter, joined by -, 51 characters at most";

#[test]
fn a_folder_without_its_function_toml_is_refused() {
    let tree = Tree::copy();
    fs::remove_file(tree.path("lambdas/func-api-health-get/function.toml")).unwrap();
    tree.fails(
        &[],
        &["lambdas/func-api-health-get: has no function.toml; `firefly-render add` makes a folder with one"],
    );
    // A folder of nothing.
    let tree = Tree::copy();
    fs::create_dir(tree.path("lambdas/func-api-more-get")).unwrap();
    tree.fails(&[], &["lambdas/func-api-more-get: has no function.toml; `firefly-render add` makes a folder with one"]);
}

#[test]
fn a_function_toml_without_a_package_is_refused() {
    let tree = Tree::copy();
    fs::remove_file(tree.path("lambdas/func-api-health-get/Cargo.toml")).unwrap();
    tree.fails(&[], &["lambdas/func-api-health-get: has no Cargo.toml; a function is a package"]);
}

#[test]
fn a_package_of_another_name_is_refused() {
    let tree = Tree::copy();
    tree.edit("lambdas/func-api-health-get/Cargo.toml", "\"func-api-health-get\"", "\"health\"");
    tree.fails(
        &[],
        &["lambdas/func-api-health-get/Cargo.toml, package.name: allowed is name = \"func-api-health-get\", in [package] \
           at the file's begin"],
    );
    let tree = Tree::copy();
    tree.edit("lambdas/func-api-health-get/Cargo.toml", "description = ", "# ");
    tree.fails(
        &[],
        &["lambdas/func-api-health-get/Cargo.toml, package.description: is missing; allowed is a text, which is rendered"],
    );
}

#[test]
fn a_folder_whose_name_is_malformed_is_refused() {
    for name in ["health", "func-api-", "func-api-Health-get", "func-api-a--b", "func-api-2-get", "func-worker-reports"]
    {
        let tree = Tree::copy();
        fs::rename(tree.path("lambdas/func-api-health-get"), tree.path(&format!("lambdas/{name}"))).unwrap();
        tree.fails(&[], &[&format!("lambdas/{name}: is no function's name; allowed is {FORM}")]);
    }
    let tree = Tree::copy();
    tree.write("lambdas/notes.txt", "");
    tree.fails(&[], &[&format!("lambdas/notes.txt: is no function's name; allowed is {FORM}")]);
}

#[test]
fn a_marker_that_is_missing_or_doubled_is_refused() {
    let rendered = "rendered by firefly-render from lambdas/*/function.toml; do not edit";
    for (file, name) in [
        ("Cargo.toml", "packages"),
        ("Cargo.toml", "functions"),
        ("samconfig.toml", "functions"),
        ("template.yaml", "functions"),
        ("stacks/api-gateway.yaml", "methods"),
        ("stacks/bootstrap.yaml", "alarms"),
        (".github/workflows/deploy-all.yml", "build"),
        (".github/workflows/deploy-all.yml", "functions"),
        (".github/workflows/delete-all.yml", "functions"),
        ("crates/firefly-functions/Cargo.toml", "functions"),
    ] {
        for marker in [format!("# begin {name}: {rendered}"), format!("# end {name}")] {
            let tree = Tree::copy();
            tree.edit(file, &marker, "#");
            let problem = format!("has no line `{marker}`; allowed is one, before what is rendered");
            tree.fails(&[], &[&format!("{file}: {problem}")]);

            let tree = Tree::copy();
            let lines = tree.read(file).lines().count();
            tree.write(file, &format!("{}{marker}\n", tree.read(file)));
            tree.fails(&[], &[&format!("{file}, line {}: is a second `{marker}`; allowed is one", lines + 1)]);
        }
        let tree = Tree::copy();
        let (begin, end) = (format!("# begin {name}: {rendered}"), format!("# end {name}"));
        let text = tree.read(file).replace(&begin, "#?").replace(&end, &begin).replace("#?", &end);
        tree.write(file, &text);
        let line = text.lines().position(|line| line.trim() == end).unwrap() + 1;
        tree.fails(&[], &[&format!("{file}, line {line}: `{end}` stands before `{begin}`; allowed is after it")]);
    }
}

#[test]
fn a_hand_written_file_that_is_missing_is_refused() {
    for file in ["samconfig.toml", "template.yaml", "Cargo.toml", "stacks/observability/source.yaml"] {
        let tree = Tree::copy();
        fs::remove_file(tree.path(file)).unwrap();
        tree.fails(&[], &[&format!("{file}: is missing; it is written by hand, and parts are rendered")]);
    }
    let tree = Tree::copy();
    fs::remove_dir_all(tree.path("lambdas")).unwrap();
    tree.fails(&[], &["lambdas: is missing; allowed is a tree with lambdas/ and stacks/"]);
}

#[test]
fn a_store_that_does_not_say_what_it_is_is_refused() {
    const FILE: &str = "stacks/s3-device-backups.yaml";
    for (old, new, place, problem) in [
        ("    Store: backups\n", "", "Metadata.FireFly.Store", "is missing; allowed is a text"),
        ("    Variable: S3_BACKUP_BUCKET_NAME\n", "", "Metadata.FireFly.Variable", "is missing; allowed is a text"),
        ("    Parameter: BackupBucketName\n", "", "Metadata.FireFly.Parameter", "is missing; allowed is a text"),
        (
            "    Store: ",
            "    Name: x\n    Store: ",
            "Metadata.FireFly.Name",
            "is no member; there are Store, Variable, Parameter",
        ),
        ("AWS::S3::Bucket\n", "AWS::SQS::Queue\n", "Resources", "has no table or bucket; a store has one"),
        (
            "BucketName: !If",
            "BucketName: !Sub",
            "Resources.DeviceBackupsBucket.Properties.BucketName",
            "allowed is !If [CONDITION, !Sub DEFAULT, !Ref BackupBucketName]",
        ),
        (
            "Store: backups",
            "Store: devices",
            "Metadata.FireFly.Store",
            "is the store devices of stacks/dynamodb-devices.yaml, too; every store has its own name",
        ),
    ] {
        let tree = Tree::copy();
        tree.edit(FILE, old, new);
        tree.fails(&[], &[&format!("{FILE}, {place}: {problem}")]);
    }
    let tree = Tree::copy();
    tree.write(FILE, "Metadata: {FireFly: [");
    let output = tree.run(&[]);
    let stderr = crate::tree::text(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.starts_with(&format!("firefly-render: {FILE}: not YAML: ")));
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn a_root_template_without_a_store_or_with_the_functions_id_is_refused() {
    let tree = Tree::copy();
    tree.edit("template.yaml", "stacks/dynamodb-devices.yaml", "stacks/elsewhere.yaml");
    tree.fails(&[], &["template.yaml, Resources: has none with the Location stacks/dynamodb-devices.yaml"]);
    let tree = Tree::copy();
    tree.edit("template.yaml", "  Cognito:\n", "  HealthGet:\n");
    tree.fails(
        &[],
        &["template.yaml, Resources.HealthGet: is a resource of template.yaml, too; allowed is another name for \
           lambdas/func-api-health-get/function.toml"],
    );
}

#[test]
fn a_word_in_a_place_that_cannot_be_repeated_is_refused() {
    let tree = Tree::copy();
    tree.edit("stacks/observability/source.yaml", "AlarmName: firefly-latency", "AlarmName: firefly-{function}");
    let output = tree.run(&[]);
    let stderr = crate::tree::text(&output.stderr);
    let expected =
        "firefly-render: stacks/observability/source.yaml: has {function} in `AlarmName: firefly-{function}`; ";
    assert!(output.status.code() == Some(1) && stderr.starts_with(expected), "{stderr}");
}
