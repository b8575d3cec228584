//! The table of stacks equals the stack documents and the templates.

use firefly_deploy::graph::{self, Dependency, STACKS, delete_order, deploy_order};

use crate::stack;

type Table<'a> = &'a [(&'a str, &'a str)];

fn assert_table(found: &[Dependency], expected: Table<'_>) {
    let found: Vec<_> = found.iter().map(|row| (row.workflow.as_str(), row.reason.as_str())).collect();
    assert_eq!(found, expected);
}

/// Asserts rows of functions as far as the document, which was written for these, knows them.
fn assert_table_of_known(found: Vec<Dependency>, expected: Table<'_>) {
    let known = |row: &Dependency| expected.iter().any(|(workflow, _)| *workflow == row.workflow);
    assert_table(&found.into_iter().filter(known).collect::<Vec<_>>(), expected);
}

/// Counts the folders of functions.
fn functions_of_the_repository() -> usize {
    std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../lambdas")).unwrap().count()
}

/// The document of `func-api-devices-backup-post`, "Dependencies" and "Required By".
#[test]
fn backup_post_is_as_its_document_says() {
    let stack = stack("func-api-devices-backup-post");
    assert_table(
        &stack.deploy_dependencies(),
        &[
            ("api-gateway", "ApiId resolved from stack outputs"),
            ("dynamodb-devices", "Table must exist before the function is deployed and granted read/write access"),
            ("shared-layer", "Lambda layer must exist before function deployment"),
            ("s3-device-backups", "S3 bucket must exist before the function is deployed and granted put/head access"),
        ],
    );
    assert_table(&stack.delete_dependencies(), &[]);
    assert_table(
        &stack.required_by_deploy(),
        &[("run-integration-tests", "Endpoint must be live before integration tests run")],
    );
    assert_table(
        &stack.required_by_delete(),
        &[
            ("delete-api-gateway", "Route registration must be removed before the API Gateway stack is deleted"),
            ("delete-dynamodb-devices", "IAM permissions referencing the table must be removed first"),
            ("delete-shared-layer", "Layer reference must be removed before the layer stack is deleted"),
            ("delete-s3-device-backups", "IAM permissions referencing the bucket must be removed first"),
        ],
    );
}

/// The document of `func-api-registration-keys-post`.
#[test]
fn registration_keys_post_is_as_its_document_says() {
    let stack = stack("func-api-registration-keys-post");
    assert_table(
        &stack.deploy_dependencies(),
        &[
            ("api-gateway", "ApiId and AuthorizerId resolved from stack outputs"),
            ("dynamodb-registration-keys", "Table must exist before the function is deployed and granted write access"),
            ("shared-layer", "Lambda layer must exist before function deployment"),
        ],
    );
    assert_table(&stack.delete_dependencies(), &[]);
    assert_table(
        &stack.required_by_deploy(),
        &[("run-integration-tests", "Endpoint must be live before integration tests run")],
    );
    assert_table(
        &stack.required_by_delete(),
        &[
            ("delete-api-gateway", "Route registration must be removed before the API Gateway stack is deleted"),
            ("delete-dynamodb-registration-keys", "IAM permissions referencing the table must be removed first"),
            ("delete-shared-layer", "Layer reference must be removed before the layer stack is deleted"),
        ],
    );
}

/// The document of `dynamodb-registration-keys`.
#[test]
fn registration_keys_table_is_as_its_document_says() {
    let stack = stack("dynamodb-registration-keys");
    assert_table(&stack.deploy_dependencies(), &[]);
    let removed = "Lambda IAM permissions referencing this table must be removed first";
    assert_table_of_known(
        stack.delete_dependencies(),
        &[
            ("delete-func-api-registration-keys-post", removed),
            ("delete-func-api-registration-keys-get", removed),
            ("delete-func-api-registration-keys-delete", removed),
            ("delete-func-api-devices-register-post", removed),
        ],
    );
    assert_table_of_known(
        stack.required_by_deploy(),
        &[
            (
                "func-api-registration-keys-post",
                "Table must exist before the function is deployed and granted write access",
            ),
            (
                "func-api-registration-keys-get",
                "Table must exist before the function is deployed and granted read access",
            ),
            (
                "func-api-registration-keys-delete",
                "Table must exist before the function is deployed and granted delete access",
            ),
            (
                "func-api-devices-register-post",
                "Table must exist before the function is deployed and granted read/delete access",
            ),
        ],
    );
    assert_table(&stack.required_by_delete(), &[]);
}

#[test]
fn observability_is_deleted_before_the_api() {
    let stack = stack("observability");
    assert_table(&stack.deploy_dependencies(), &[("api-gateway", "ApiId resolved from stack outputs")]);
    assert_table(&stack.delete_dependencies(), &[]);
    assert_table(&stack.required_by_deploy(), &[]);
    let reason = "Alarms of an API that is gone would stay silent for the one that follows it";
    assert_table(&stack.required_by_delete(), &[("delete-api-gateway", reason)]);
}

#[test]
fn each_order_is_the_shortest_that_the_needs_allow() {
    let names = |order: Vec<Vec<&firefly_deploy::graph::Stack>>| -> Vec<Vec<&str>> {
        order.iter().map(|step| step.iter().map(|stack| stack.name).collect()).collect()
    };
    let functions: Vec<_> = STACKS.iter().filter(|stack| stack.is_function()).map(|stack| stack.name).collect();
    assert_eq!(functions.len(), functions_of_the_repository());
    let data = ["dynamodb-devices", "dynamodb-registration-keys", "s3-device-backups", "shared-layer"];
    let deploy = names(deploy_order());
    let last = [&["observability"], &functions[..]].concat();
    assert_eq!(deploy, [[&["cognito"], &data[..]].concat(), vec!["api-gateway"], last.clone()]);
    let delete = names(delete_order());
    assert_eq!(delete, [last, [&data[..], &["api-gateway"]].concat(), vec!["cognito"]]);
}

#[test]
fn functions_need_what_their_templates_name() {
    for stack in STACKS.iter().filter(|stack| stack.is_function()) {
        let needs = |name: &str| stack.needs.iter().any(|need| need.stack == name);
        let names = |text: &str| stack.template.contains(text);
        assert!(needs("api-gateway") && needs("shared-layer"), "{}", stack.name);
        assert_eq!(needs("dynamodb-devices"), names("table/firefly-devices"), "{}", stack.name);
        assert_eq!(needs("dynamodb-registration-keys"), names("table/firefly-registration-keys"), "{}", stack.name);
        assert_eq!(needs("s3-device-backups"), names("BackupBucketName:"), "{}", stack.name);
    }
}

#[test]
fn every_output_that_is_needed_is_a_parameter_and_an_output() {
    for stack in &STACKS {
        for need in stack.needs {
            let needed = crate::stack(need.stack);
            let (_, outputs) = needed.template.split_once("\nOutputs:").expect("the needed stack has outputs");
            for output in need.purpose.outputs() {
                assert!(outputs.contains(&format!("\n  {output}:")), "{} has no output {output}", needed.name);
                assert!(
                    stack.template.contains(&format!("\n  {output}:\n    Type: String")),
                    "{} {output}",
                    stack.name
                );
            }
        }
    }
}

#[test]
fn samconfig_has_an_environment_per_stack() {
    let samconfig = include_str!("../../../../samconfig.toml");
    for stack in &STACKS {
        let header = format!("[{}.deploy.parameters]\n", stack.name);
        let (_, section) = samconfig.split_once(&header).unwrap_or_else(|| panic!("no {header}"));
        let section = section.split("\n[").next().unwrap();
        assert!(section.contains(&format!("stack_name = \"{}\"", stack.stack_name())), "{}", stack.name);
    }
}

#[test]
fn text_and_flowchart_hold_every_stack() {
    let (text, flowchart) = (graph::text(), graph::mermaid());
    for stack in &STACKS {
        assert!(text.contains(&format!("\n{}\n", stack.name)), "{}", stack.name);
        for need in stack.needs {
            assert!(flowchart.contains(&format!("    {} --> {}\n", need.stack, stack.name)), "{}", stack.name);
            let deletion = format!("    {} --> delete-{}\n", stack.delete_workflow(), need.stack);
            assert!(flowchart.contains(&deletion), "{deletion}");
        }
    }
    let arrows = flowchart.lines().filter(|line| line.contains("-->")).count();
    let needs: usize = STACKS.iter().map(|stack| stack.needs.len()).sum();
    assert_eq!(arrows, 2 * needs + functions_of_the_repository());
    assert!(text.starts_with("Deploy order\n  1. cognito\n     dynamodb-devices\n"));
    assert!(text.contains("  4. run-integration-tests\n"));
}
