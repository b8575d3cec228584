//! The state of the stand-in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::LazyLock;

use super::account::{BOOTSTRAP, BOOTSTRAP_STACK};
use super::bucket::Bucket;
use super::change_set::ChangeSet;
use super::document::TemplateDocument;
use super::query::Refusal;
use super::stack::Stack;
use super::table::Tables;

/// The stand-in's stacks, tables, buckets and log groups, its faults to come, and the calls so far.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) stacks: Vec<Stack>,
    pub(crate) change_sets: Vec<ChangeSet>,
    pub(crate) tables: Tables,
    pub(crate) buckets: BTreeMap<String, Bucket>,
    pub(crate) log_groups: BTreeSet<String>,
    /// The user pools, each with whether it is protected.
    pub(crate) pools: BTreeMap<String, bool>,
    /// The calls so far, such as `cloudformation:DescribeStacks`.
    pub(crate) calls: Vec<String>,
    /// The number of looks for which an operation is shown in progress.
    pub(crate) lag: usize,
    /// The code and message with which every call of a name is refused.
    pub(crate) refuse: BTreeMap<&'static str, (&'static str, &'static str)>,
    /// The reason with which the next change set fails, and the message of its validation.
    pub(crate) refuse_change: Option<(&'static str, &'static str)>,
    /// The reason with which the next execution fails.
    pub(crate) fail_execution: Option<&'static str>,
    /// The reasons with which the next deletions of a stack's last resource fail.
    pub(crate) fail_deletion: VecDeque<&'static str>,
    /// The reason with which every continued rollback fails.
    pub(crate) fail_rollback: Option<&'static str>,
    /// The type and template of every change set, in order.
    pub(crate) templates: Vec<(String, String)>,
    /// The roles that CloudFormation was given, in order.
    pub(crate) roles: Vec<Option<String>>,
    /// The call whose answer is lost, counted from one.
    pub(super) cut: Option<usize>,
    pub(super) made: usize,
}

/// The policy of the deploy role.
static DEPLOY_ROLE: LazyLock<&str> = LazyLock::new(|| {
    let (_, role) = BOOTSTRAP.split_once("\n  DeployRole:\n").unwrap();
    role.split_once("\n  CloudFormationRole:\n").unwrap().0
});

/// Returns the IAM action of a call.
///
/// Some of S3's calls have actions of other names: Service Authorization Reference, "Actions, resources, and condition
/// keys for Amazon S3".
fn action(call: &str) -> &str {
    match call {
        "s3:HeadBucket" => "s3:ListBucket",
        "s3:GetBucketEncryption" => "s3:GetEncryptionConfiguration",
        "s3:GetPublicAccessBlock" => "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketLifecycleConfiguration" => "s3:GetLifecycleConfiguration",
        call => call,
    }
}

impl State {
    /// Notes a call. Returns a refusal if calls of this name are refused.
    ///
    /// The deploy role of the stack bootstrap must allow every call.
    pub(crate) fn call(&mut self, name: String) -> Option<(&'static str, &'static str)> {
        let action = action(&name);
        let granted = [format!("- {action}\n"), format!("Action: {action}\n")];
        let granted = granted.iter().any(|line| DEPLOY_ROLE.contains(line)) || action == "sts:GetCallerIdentity";
        assert!(granted, "the deploy role may not {action}");
        let refused = self.refuse.iter().find(|(call, _)| **call == name).map(|(_, refusal)| *refusal);
        self.calls.push(name);
        refused
    }

    /// Finds an existing stack by name, or any stack by ARN.
    pub(crate) fn stack(&mut self, name: &str) -> Option<&mut Stack> {
        self.stacks.iter_mut().find(|stack| stack.id == name || (stack.name == name && !stack.is_deleted()))
    }

    /// Adds a stack with a template, as an earlier run would have left it.
    ///
    /// It has the resources that the template declares, each in the state `resources`.
    pub(crate) fn put_stack(&mut self, name: &str, status: &str, template: &str, resources: &str) -> &mut Stack {
        self.put_stack_with(name, status, template, resources, BTreeMap::new())
    }

    pub(crate) fn put_stack_with(
        &mut self,
        name: &str,
        status: &str,
        template: &str,
        resources: &str,
        parameters: BTreeMap<String, String>,
    ) -> &mut Stack {
        let mut stack = Stack::new(name, self.stacks.len(), status);
        if !template.is_empty() {
            let document = TemplateDocument::new(template, &parameters);
            for (logical_id, declared) in document.resources() {
                let physical_id = declared.physical_id(name, &logical_id);
                stack.resource(&logical_id, &physical_id, &declared.kind, resources, "");
            }
            if status.ends_with("_COMPLETE") && !matches!(status, "ROLLBACK_COMPLETE" | "IMPORT_COMPLETE") {
                stack.outputs = document.outputs();
            }
        }
        stack.template = template.to_owned();
        stack.parameters = parameters;
        self.stacks.push(stack);
        self.stacks.last_mut().unwrap()
    }

    /// Lets bootstrap name the bucket that functions may use.
    pub(crate) fn name_bucket(&mut self, name: &str) {
        self.stack(BOOTSTRAP_STACK).unwrap().outputs.insert("BackupBucketName".to_owned(), name.to_owned());
    }

    /// Adds a stack with these outputs.
    pub(crate) fn put_outputs(&mut self, name: &str, status: &str, outputs: &[(&str, &str)]) {
        let outputs = outputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.put_stack(name, status, "", "").outputs = outputs;
    }

    /// Finds an existing stack, or returns CloudFormation's refusal.
    pub(super) fn existing(&mut self, name: &str) -> Result<&mut Stack, Refusal> {
        self.stack(name).ok_or_else(|| ("ValidationError", format!("Stack [{name}] does not exist")))
    }

    /// Adds a change set, as somebody has left it.
    pub(crate) fn put_change_set(&mut self, stack: &str, name: &str, status: &str) -> &mut ChangeSet {
        let stack_id = self.stack(stack).unwrap().id.clone();
        let id =
            format!("arn:aws:cloudformation:eu-central-1:123456789012:changeSet/{name}/{}", self.change_sets.len());
        let execution = if status == "CREATE_COMPLETE" { "AVAILABLE" } else { "UNAVAILABLE" }.to_owned();
        let (name, status) = (name.to_owned(), status.to_owned());
        self.change_sets.push(ChangeSet { id, name, stack_id, status, execution, ..ChangeSet::default() });
        self.change_sets.last_mut().unwrap()
    }

    pub(super) fn change_set(&mut self, name: &str) -> Result<&mut ChangeSet, Refusal> {
        let found = self.change_sets.iter_mut().find(|change_set| change_set.id == name);
        found.ok_or_else(|| ("ChangeSetNotFound", format!("ChangeSet [{name}] does not exist")))
    }
}
