use std::fs;

use firefly_deploy::graph::STACKS;

use super::document::{root, template_file};

/// The settings that CI deploys a stack with; it adds the bucket, the role and the parameters itself.
fn environment(stack: &str) -> String {
    format!(
        "[{stack}.deploy.parameters]\n\
         template_file = \"{}\"\n\
         stack_name = \"firefly-{stack}\"\n\
         s3_prefix = \"firefly-{stack}\"\n\
         capabilities = [\"CAPABILITY_NAMED_IAM\", \"CAPABILITY_AUTO_EXPAND\"]\n\
         confirm_changeset = false\n\
         fail_on_empty_changeset = false\n\
         on_failure = \"DELETE\"\n",
        template_file(stack)
    )
}

#[test]
fn samconfig_has_one_environment_for_each_stack_and_one_for_the_whole() {
    let text = fs::read_to_string(root().join("samconfig.toml")).unwrap();
    let mut tables: Vec<_> = text.lines().filter(|line| line.starts_with('[')).collect();
    let stacks: Vec<_> = STACKS.iter().map(|stack| stack.name).chain(["bootstrap"]).collect();
    let mut expected: Vec<_> = stacks.iter().map(|stack| format!("[{stack}.deploy.parameters]")).collect();
    expected.push("[default.deploy.parameters]".to_owned());
    tables.sort_unstable();
    expected.sort_unstable();
    assert_eq!(tables, expected);
    for stack in stacks {
        // Up to the next table or the end, so that nothing is added to it.
        let from = text.find(&format!("[{stack}.")).unwrap();
        let section = text[from..].split("\n\n").next().unwrap().trim_end();
        assert_eq!(section, environment(stack).trim_end());
    }
    // `--guided` takes the capabilities from here.
    let whole = text.split("\n\n").find(|section| section.contains("[default.")).unwrap();
    assert!(whole.contains("capabilities = [\"CAPABILITY_NAMED_IAM\", \"CAPABILITY_AUTO_EXPAND\"]"));
}
