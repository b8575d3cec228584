//! Grants become statements, variables, parameters, and needs of the deployment's table.

use firefly_templates::Document;

use crate::tree::Tree;

const FILE: &str = "lambdas/func-api-health-get/function.toml";
const TEMPLATE: &str = "lambdas/func-api-health-get/template.yaml";

/// The health function with these grants, rendered.
fn granted(grants: &str) -> Tree {
    let tree = Tree::copy();
    let text = tree.read(FILE);
    tree.write(FILE, &format!("{text}\n{grants}"));
    tree.succeeds(&[]);
    Document::parse(&tree.read(TEMPLATE)).unwrap();
    tree
}

/// The row of the health function in the deployment's table.
fn needs(tree: &Tree) -> String {
    let text = tree.read("crates/firefly-deploy/src/graph/functions.rs");
    let row = text.lines().find(|line| line.contains("func-api-health-get")).unwrap();
    row.trim().replace("function!(\"func-api-health-get\", ", "").trim_end_matches("),").to_owned()
}

#[test]
fn a_condition_stands_in_the_statement() {
    let tree = granted(
        "[[grant]]\non = \"backups\"\nactions = [\"s3:ListBucket\"]\nreason = \"Only under one prefix.\"\n\
         when = { StringLike = { \"s3:prefix\" = [\"firmware/*\"] }, Bool = { \"aws:SecureTransport\" = \"true\" } }\n",
    );
    let statement = "              # Only under one prefix.
              - Effect: Allow
                Action:
                  - s3:ListBucket
                Resource: !Sub
                  - arn:${AWS::Partition}:s3:::${Bucket}
                  - Bucket: !If [HasDefaultBucket, !Sub 'firefly-device-backups-${AWS::AccountId}-${AWS::Region}', !Ref BackupBucketName]
                Condition:
                  Bool:
                    aws:SecureTransport: 'true'
                  StringLike:
                    s3:prefix:
                      - firmware/*
";
    assert!(tree.read(TEMPLATE).contains(statement), "{}", tree.read(TEMPLATE));
    assert_eq!(needs(&tree), "&[API, LAYER, bucket(\"s3-device-backups\", \"get\")]");
}

#[test]
fn a_resource_that_is_not_a_store_stands_in_the_statement_alone() {
    let tree = granted(
        "[[grant]]\nresource = \"arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:firefly-reports\"\n\
         actions = [\"sqs:SendMessage\"]\n\n[[grant]]\nresource = \"arn:aws:iot:*:*:topic/x\"\nactions = [\"iot:Publish\"]\n",
    );
    let template = tree.read(TEMPLATE);
    let resource = "Resource: !Sub arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:firefly-reports\n";
    assert!(template.contains(resource) && template.contains("Resource: arn:aws:iot:*:*:topic/x\n"), "{template}");
    assert_eq!(needs(&tree), "&[API, LAYER]");
}

#[test]
fn the_access_in_words_follows_from_the_actions_or_is_given() {
    for (grants, words) in [
        (&[("devices", "GetItem")][..], "read"),
        (&[("devices", "Query"), ("devices/index/product_hex-keys-index", "Query")], "scan"),
        (&[("devices", "DeleteItem\", \"dynamodb:UpdateItem\", \"dynamodb:BatchGetItem")], "read/write/delete"),
        (&[("devices", "DescribeTable\", \"dynamodb:PutItem")], "write/DescribeTable"),
        (
            &[("devices", "PutItem"), ("devices/index/product_hex-keys-index", "Query\"]\naccess = \"look up\" #")],
            "write/look up",
        ),
    ] {
        let grants = grants.iter().map(|(on, action)| {
            let actions = format!("[\"dynamodb:{action}\"]").replace(" #\"]", "");
            format!("[[grant]]\non = \"{on}\"\nactions = {actions}\n")
        });
        let tree = granted(&grants.collect::<String>());
        assert_eq!(needs(&tree), format!("&[API, table(\"dynamodb-devices\", \"{words}\"), LAYER]"));
    }
}

#[test]
fn a_store_gives_variable_parameter_condition_and_place_in_the_root() {
    let tree = granted(
        "[[grant]]\non = \"backups/*\"\nactions = [\"s3:PutObject\"]\n\n[[grant]]\non = \"registration-keys\"\n\
         actions = [\"dynamodb:PutItem\"]\n",
    );
    let template = tree.read(TEMPLATE);
    for part in [
        "  BackupBucketName:\n    Type: String\n    Description: Bucket of the backups; empty means \
         firefly-device-backups-ACCOUNT-REGION\n    Default: ''\n    AllowedPattern: (firefly-[a-z0-9.-]{1,55})?\n",
        "  HasDefaultBucket: !Equals [!Ref BackupBucketName, '']\n",
        "          DYNAMODB_REGISTRATION_KEYS_TABLE_NAME: firefly-registration-keys\n          S3_BACKUP_BUCKET_NAME: !If ",
    ] {
        assert!(template.contains(part), "{part}");
    }
    let root = tree.read("template.yaml");
    let resource = root.split("  HealthGet:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    assert!(resource.contains("    DependsOn: RegistrationKeysTable\n"), "{resource}");
    assert!(
        resource.ends_with("        BackupBucketName: !GetAtt DeviceBackups.Outputs.BackupBucketName"),
        "{resource}"
    );
}

#[test]
fn a_caller_gives_authorizer_parameter_and_comment() {
    for (caller, authorized, comment) in [
        ("anyone", false, "Anyone may call it."),
        ("device", false, "Devices call it; the function verifies their signature."),
        ("key", false, "The holder of a registration key calls it; the function checks the key."),
        ("user", true, "Users call it."),
        ("super_user", true, "Users call it; the function lets members of super_users in."),
    ] {
        let tree = Tree::copy();
        tree.edit(FILE, "\"anyone\"", &format!("\"{caller}\""));
        if caller == "device" {
            tree.edit(FILE, "GET /health", "GET /health/{uuid}");
        }
        tree.succeeds(&[]);
        let template = tree.read(TEMPLATE);
        let kind = if authorized { "JWT\n      AuthorizerId: !Ref AuthorizerId" } else { "NONE" };
        assert!(template.contains(&format!("      # {comment}\n      AuthorizationType: {kind}\n")), "{template}");
        assert_eq!(template.contains("\n  AuthorizerId:\n    Type: String\n"), authorized);
        let root = tree.read("template.yaml");
        let resource = root.split("  HealthGet:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        assert_eq!(resource.contains("AuthorizerId: !GetAtt ApiGateway.Outputs.AuthorizerId"), authorized);
        assert!(needs(&tree).starts_with(if authorized { "&[API_FOR_USERS, " } else { "&[API, " }));
    }
}

#[test]
fn a_text_that_yaml_would_misread_is_quoted() {
    let tree = Tree::copy();
    tree.edit(FILE, "answers that the API is up; touches no store", "answers: it's \\\"up\\\" # and so on");
    tree.succeeds(&[]);
    let template = Document::parse(&tree.read(TEMPLATE)).unwrap();
    let names: Vec<_> = template.section_names().collect();
    assert_eq!(names[2], "Description");
    let line = "Description: 'firefly-func-api-health-get - GET /health - answers: it''s \"up\" # and so on'\n";
    assert!(tree.read(TEMPLATE).contains(line));
    let manifest: toml::Table = tree.read("lambdas/func-api-health-get/Cargo.toml").parse().unwrap();
    assert_eq!(manifest["package"]["description"].as_str(), Some("GET /health: answers: it's \"up\" # and so on"));
}

const OUTSIDE: &str = "is outside the boundary; allow it in FunctionBoundary of stacks/bootstrap.yaml, raise Version there \
                       and deploy bootstrap again";

#[test]
fn a_grant_outside_the_boundary_fails_the_check() {
    let account = "us-east-1:000000000000";
    for (grant, outside) in [
        (
            "on = \"devices\"\nactions = [\"dynamodb:DeleteTable\", \"dynamodb:GetItem\"]",
            &[format!("dynamodb:DeleteTable on arn:aws:dynamodb:{account}:table/firefly-devices")][..],
        ),
        (
            "resource = \"arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*\"\n\
             actions = [\"dynamodb:GetItem\"]",
            &[format!("dynamodb:GetItem on arn:aws:dynamodb:{account}:table/*")],
        ),
        (
            "resource = \"arn:aws:sqs:*:*:firefly-reports\"\nactions = [\"sqs:SendMessage\"]",
            &["sqs:SendMessage on arn:aws:sqs:*:*:firefly-reports".to_owned()],
        ),
        (
            "resource = \"arn:aws:iam::000000000000:role/firefly-deploy\"\nactions = [\"iam:PassRole\", \"sts:AssumeRole\"]",
            &[
                "iam:PassRole on arn:aws:iam::000000000000:role/firefly-deploy".to_owned(),
                "sts:AssumeRole on arn:aws:iam::000000000000:role/firefly-deploy".to_owned(),
            ],
        ),
        // With both names that the bucket can have.
        (
            "on = \"backups\"\nactions = [\"s3:DeleteBucket\"]",
            &[
                "s3:DeleteBucket on arn:aws:s3:::firefly-device-backups-000000000000-us-east-1".to_owned(),
                "s3:DeleteBucket on arn:aws:s3:::firefly-own".to_owned(),
            ],
        ),
    ] {
        let tree = granted(&format!("[[grant]]\n{grant}\n"));
        let lines: Vec<_> = outside.iter().map(|grant| format!("{FILE}: {grant} {OUTSIDE}")).collect();
        tree.fails(&["--check"], &lines.iter().map(String::as_str).collect::<Vec<_>>());
    }
    // A condition narrows a grant.
    let tree = granted(
        "[[grant]]\non = \"backups\"\nactions = [\"s3:ListBucket\"]\nwhen = { StringLike = { \"s3:prefix\" = \"x/*\" } }\n",
    );
    tree.succeeds(&["--check"]);
}

#[test]
fn a_tree_without_the_boundary_fails_the_check() {
    let tree = Tree::copy();
    tree.edit("stacks/bootstrap.yaml", "  FunctionBoundary:\n", "  Boundary:\n");
    tree.succeeds(&[]);
    tree.fails(&["--check"], &["stacks/bootstrap.yaml, Resources.FunctionBoundary: is missing"]);
}
