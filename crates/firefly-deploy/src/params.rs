//! The parameters of a stack, for `sam deploy --parameter-overrides file://…`.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::StackStatus;
use firefly_templates::{Document, Parameter, ParseError, Source, Template, TemplateError};
use regex_lite::Regex;

use crate::account::Account;
use crate::aws_error::AwsError;
use crate::deployed_stack::DeployedStack;
use crate::graph::{PERMISSIONS_BOUNDARY, Stack, stack_name};
use crate::user_pool::{PROTECTION, UNPROTECTED};

/// The parameter with the name of the bucket of backups.
const BUCKET: &str = "BackupBucketName";

/// The reason why a stack's parameters cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum ParamsError {
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A template cannot be read.
    #[error("not a template: {0}")]
    Template(#[from] ParseError),
    /// A rule or a pattern of a template cannot be read.
    #[error(transparent)]
    Rules(#[from] TemplateError),
    /// The environment variables do not go together.
    #[error("{rule}: set the one or leave the other empty")]
    BrokenRule {
        /// The rule, in words.
        rule: String,
    },
    /// The bucket is not the one that functions may use.
    #[error(
        "BACKUP_BUCKET_NAME means the bucket {asked}, and functions may use {held} alone: an administrator deploys \
         stacks/bootstrap.yaml again with BackupBucketName, or it is set to {held}"
    )]
    OtherBucket {
        /// The bucket that was asked for.
        asked: String,
        /// The bucket that bootstrap names.
        held: String,
    },
    /// A stack whose outputs are needed is not deployed.
    #[error("the stack {stack} does not exist: deploy {workflow} first")]
    MissingStack {
        /// The stack.
        stack: String,
        /// The workflow that deploys it.
        workflow: &'static str,
    },
    /// A stack whose outputs are needed is in a state in which they cannot be used.
    #[error("the stack {stack} is {status} and its outputs cannot be used: deploy {workflow} first")]
    Unusable {
        /// The stack.
        stack: String,
        /// The state.
        status: StackStatus,
        /// The workflow that deploys it.
        workflow: &'static str,
    },
    /// A stack lacks an output.
    #[error("the stack {stack} has no output {output}: deploy {workflow} first")]
    MissingOutput {
        /// The stack.
        stack: String,
        /// The output.
        output: &'static str,
        /// The workflow that deploys it.
        workflow: &'static str,
    },
    /// An environment variable has a value that the parameter cannot have.
    #[error("{variable} is {value:?}: {rule}")]
    BadValue {
        /// The environment variable.
        variable: String,
        /// The variable's value.
        value: String,
        /// The rule for the value.
        rule: String,
    },
    /// The stack could not make its log group.
    #[error(
        "the log group {group} exists without the stack {stack}, which could not be created: run `firefly-deploy \
         delete {workflow}`, which removes it with its log"
    )]
    LeftOverLogGroup {
        /// The log group.
        group: String,
        /// The stack.
        stack: String,
        /// The stack's workflow.
        workflow: &'static str,
    },
}

/// Returns every parameter of a stack's template as a YAML mapping.
///
/// A value comes from the outputs of the stacks that are needed and of bootstrap, from an environment variable, or from
/// the template's default. All parameters are in the mapping, because one that is left out would keep its earlier value.
/// A user pool is made without protection: once its stack is there, another call returns the parameters that protect it.
///
/// # Errors
///
/// [`ParamsError`]. Nothing has been deployed then.
pub async fn params(
    account: &Account,
    stack: &Stack,
    environment: &BTreeMap<String, String>,
) -> Result<String, ParamsError> {
    let template = Document::parse(stack.template)?;
    let parameters = template.parameters();
    let mut from_outputs = BTreeMap::from([(PERMISSIONS_BOUNDARY, account.bootstrap.boundary.clone())]);
    for need in stack.needs {
        let outputs = need.purpose.outputs();
        let found = account.stack(&stack_name(need.stack)).await?;
        if outputs.is_empty() {
            // A function deploys without its table or bucket, and answers errors until that exists.
            if found.is_none() {
                account.progress(&format!("warning: {} is not deployed: deploy it, too", stack_name(need.stack)));
            }
            continue;
        }
        from_outputs.extend(outputs_of(need.stack, found, outputs)?);
    }
    let deployed = account.stack(&stack.stack_name()).await?;
    if let Some(group) = template.log_group()
        && deployed.is_none()
        && account.has_log_group(group).await?
    {
        let (group, stack_name) = (group.to_owned(), stack.stack_name());
        return Err(ParamsError::LeftOverLogGroup { group, stack: stack_name, workflow: stack.name });
    }
    check_bucket(account, stack, environment).await?;
    let is_first = deployed.is_none_or(|stack| stack.status == StackStatus::ReviewInProgress);
    let mut values = BTreeMap::new();
    for parameter in &parameters {
        let mut value = match from_outputs.remove(parameter.name.as_str()) {
            Some(value) => value,
            None => from_environment(parameter, environment)?,
        };
        // A creation that fails must be able to delete the pool again.
        if is_first && (parameter.name.as_str(), value.as_str()) == PROTECTION {
            account.progress("the user pool is protected by a second deployment, once it is made");
            value = UNPROTECTED.to_owned();
        }
        values.insert(parameter.name.clone(), value);
    }
    check_rules(stack, &parameters, &values)?;
    let lines = parameters.iter().map(|parameter| {
        // YAML takes a JSON string as it is.
        format!("{}: {}\n", parameter.name, serde_json::Value::from(values[&parameter.name].as_str()))
    });
    let yaml: String = lines.collect();
    // `{}` is a mapping, an empty text is not.
    Ok(if yaml.is_empty() { "{}\n".to_owned() } else { yaml })
}

/// Fails unless a stack's bucket, if it has the parameter that names one, is the one that functions may use.
///
/// # Errors
///
/// [`ParamsError::BadValue`], [`ParamsError::OtherBucket`] and a failed call.
pub async fn check_bucket(
    account: &Account,
    stack: &Stack,
    environment: &BTreeMap<String, String>,
) -> Result<(), ParamsError> {
    let template = Document::parse(stack.template)?;
    let Some(parameter) = template.parameters().into_iter().find(|parameter| parameter.name == BUCKET) else {
        return Ok(());
    };
    let asked = match from_environment(&parameter, environment)? {
        chosen if chosen.is_empty() => format!("firefly-device-backups-{}-{}", account.id().await?, account.region),
        chosen => chosen,
    };
    let held = account.bootstrap.bucket.clone();
    if asked == held { Ok(()) } else { Err(ParamsError::OtherBucket { asked, held }) }
}

/// Checks the rules of a stack's template, as CloudFormation does before it changes anything.
fn check_rules(stack: &Stack, parameters: &[Parameter], values: &BTreeMap<String, String>) -> Result<(), ParamsError> {
    let template = Template::parse(Source { name: stack.name, text: stack.template }, values)?;
    let Some(broken) = template.broken_rule()? else {
        return Ok(());
    };
    let named = |word: &str| parameters.iter().any(|parameter| parameter.name == word);
    let words = broken.split(' ').map(|word| if named(word) { variable(word) } else { word.to_owned() });
    Err(ParamsError::BrokenRule { rule: words.collect::<Vec<_>>().join(" ") })
}

/// Returns the values of the outputs. An output under a condition is empty if it is absent.
fn outputs_of(
    workflow: &'static str,
    found: Option<DeployedStack>,
    outputs: &'static [&'static str],
) -> Result<BTreeMap<&'static str, String>, ParamsError> {
    let stack = stack_name(workflow);
    let found = found.ok_or_else(|| ParamsError::MissingStack { stack: stack.clone(), workflow })?;
    if !found.has_usable_outputs() {
        return Err(ParamsError::Unusable { stack, status: found.status, workflow });
    }
    let declared = Stack::named(workflow).map(|stack| Document::parse(stack.template)).transpose()?;
    let declared = declared.map(|template| template.outputs()).unwrap_or_default();
    let values = outputs.iter().map(|output| {
        let optional = declared.get(*output).copied().unwrap_or_default();
        match found.outputs.get(*output).cloned().unwrap_or_default() {
            value if value.is_empty() && !optional => {
                Err(ParamsError::MissingOutput { stack: stack.clone(), output, workflow })
            }
            value => Ok((*output, value)),
        }
    });
    values.collect()
}

fn from_environment(parameter: &Parameter, environment: &BTreeMap<String, String>) -> Result<String, ParamsError> {
    let variable = variable(&parameter.name);
    let given = environment.get(&variable).filter(|value| !value.is_empty());
    let Some(value) = given else {
        return Ok(parameter.default.clone().unwrap_or_default());
    };
    let rule = if value.chars().any(char::is_control) {
        Some("it must not have control characters".to_owned())
    } else if !parameter.allowed.is_empty() && !parameter.allowed.contains(value) {
        Some(format!("it must be {}", parameter.allowed.join(" or ")))
    } else if !matches_pattern(parameter, value) {
        let constraint = parameter.constraint.as_ref().or(parameter.pattern.as_ref());
        Some(format!("it must be {}", constraint.map_or("of another form", String::as_str)))
    } else if parameter.is_number {
        let minimum = parameter.minimum.unwrap_or(f64::MIN);
        let fits = value.parse::<f64>().is_ok_and(|number| number.is_finite() && number >= minimum);
        (!fits).then(|| format!("it must be a number of at least {minimum}"))
    } else {
        None
    };
    match rule {
        Some(rule) => Err(ParamsError::BadValue { variable, value: value.clone(), rule }),
        None => Ok(value.clone()),
    }
}

/// Returns whether a value is as the parameter's pattern says. A pattern that cannot be read is left to CloudFormation.
fn matches_pattern(parameter: &Parameter, value: &str) -> bool {
    let pattern = parameter.pattern.as_ref().and_then(|pattern| Regex::new(&format!("^(?:{pattern})$")).ok());
    pattern.is_none_or(|pattern| pattern.is_match(value))
}

/// Returns the environment variable of a parameter: `DomainName` is `DOMAIN_NAME`.
fn variable(parameter: &str) -> String {
    let mut variable = String::new();
    for (position, letter) in parameter.chars().enumerate() {
        if letter.is_ascii_uppercase() && position > 0 {
            variable.push('_');
        }
        variable.push(letter.to_ascii_uppercase());
    }
    variable
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn variables_are_the_parameters_in_upper_case() {
        let pairs = [
            ("DomainName", "DOMAIN_NAME"),
            ("AppConfigEnv", "APP_CONFIG_ENV"),
            ("AppConfigExtensionLayerArn", "APP_CONFIG_EXTENSION_LAYER_ARN"),
            ("BackupBucketName", "BACKUP_BUCKET_NAME"),
            ("UserPoolDeletionProtection", "USER_POOL_DELETION_PROTECTION"),
        ];
        for (parameter, expected) in pairs {
            assert_eq!(variable(parameter), expected);
        }
    }
}
