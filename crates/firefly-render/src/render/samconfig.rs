//! The environments of the functions in `samconfig.toml`.

use crate::function::FunctionToml;

/// The environments that CI deploys the functions with.
pub(crate) fn environments(functions: &[FunctionToml]) -> String {
    let environments = functions.iter().map(|function| {
        let name = &function.name;
        format!(
            "
[{name}.deploy.parameters]
template_file = \"lambdas/{name}/template.yaml\"
stack_name = \"firefly-{name}\"
s3_prefix = \"firefly-{name}\"
capabilities = [\"CAPABILITY_NAMED_IAM\", \"CAPABILITY_AUTO_EXPAND\"]
confirm_changeset = false
fail_on_empty_changeset = false
on_failure = \"DELETE\"
"
        )
    });
    // A blank line before the end, so that the last environment ends as the others do.
    format!("{}\n", environments.collect::<String>())
}
