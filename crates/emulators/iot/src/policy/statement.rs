//! Statements: an effect on actions and resources, under conditions.

use super::condition::Condition;
use super::document::{OneOrMany, WrittenEffect, WrittenStatement};
use super::error::MalformedPolicy;
use super::pattern::{Pattern, Special};
use super::request::Request;

/// The actions of AWS IoT that a policy may name (AWS IoT Core Developer Guide, "AWS IoT Core policy actions").
const ACTIONS: [&str; 17] = [
    "iot:AssumeRoleWithCertificate",
    "iot:Connect",
    "iot:DeleteConnection",
    "iot:DeleteThingShadow",
    "iot:DescribeJobExecution",
    "iot:GetPendingJobExecutions",
    "iot:GetRetainedMessage",
    "iot:GetThingShadow",
    "iot:ListNamedShadowsForThing",
    "iot:ListRetainedMessages",
    "iot:Publish",
    "iot:Receive",
    "iot:RetainPublish",
    "iot:StartNextPendingJobExecution",
    "iot:Subscribe",
    "iot:UpdateJobExecution",
    "iot:UpdateThingShadow",
];

/// The effect of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// A valid statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    effect: Effect,
    actions: Vec<Pattern>,
    resources: Vec<ResourcePattern>,
    conditions: Vec<Condition>,
}

/// A resource as a policy names it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ResourcePattern {
    /// `*`.
    Any,
    /// An ARN. A wildcard does not cross `:` but in the last part.
    Arn { head: Vec<Pattern>, path: Pattern },
}

impl Statement {
    pub(super) fn new(written: WrittenStatement, variables: bool) -> Result<Self, MalformedPolicy> {
        if written.not_action.is_some() {
            return Err(MalformedPolicy::NotSupported { element: "NotAction" });
        }
        if written.not_resource.is_some() {
            return Err(MalformedPolicy::NotSupported { element: "NotResource" });
        }
        let effect = match written.effect {
            WrittenEffect::Allow => Effect::Allow,
            WrittenEffect::Deny => Effect::Deny,
        };
        let actions = texts("Action", written.action)?.iter().map(|text| action(text)).collect::<Result<_, _>>()?;
        let resources = texts("Resource", written.resource)?
            .iter()
            .map(|text| ResourcePattern::parse(text, variables))
            .collect::<Result<_, _>>()?;
        let conditions = Condition::all(written.condition, variables)?;
        Ok(Self { effect, actions, resources, conditions })
    }

    pub(super) const fn effect(&self) -> Effect {
        self.effect
    }

    /// Returns `true` if the statement's effect holds for the request.
    pub(super) fn applies_to(&self, request: &Request<'_>) -> bool {
        self.actions.iter().any(|action| action.matches_any_case(request.action.name()))
            && self.resources.iter().any(|resource| resource.matches(request))
            && self.conditions.iter().all(|condition| condition.is_met_by(request))
    }
}

/// The members of a list that has to have one.
fn texts(member: &'static str, written: Option<OneOrMany<String>>) -> Result<Vec<String>, MalformedPolicy> {
    written.map(|list| list.0).filter(|texts| !texts.is_empty()).ok_or(MalformedPolicy::Empty { member })
}

/// Reads an action. Those of another service, such as `greengrass:Discover`, are valid and match nothing here.
fn action(text: &str) -> Result<Pattern, MalformedPolicy> {
    let refused = || MalformedPolicy::Action { action: text.to_owned() };
    let pattern = Pattern::parse(text, Special { wildcards: true, variables: false })?;
    let plain = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "*?-".contains(c));
    let is_known = match text.split_once(':') {
        None => text == "*",
        Some((service, name)) if !service.eq_ignore_ascii_case("iot") => {
            plain(service) && !service.contains(['*', '?']) && plain(name)
        }
        Some(_) => ACTIONS.iter().any(|known| pattern.matches_any_case(known)),
    };
    if is_known { Ok(pattern) } else { Err(refused()) }
}

impl ResourcePattern {
    fn parse(text: &str, variables: bool) -> Result<Self, MalformedPolicy> {
        let refused = || MalformedPolicy::Resource { resource: text.to_owned() };
        if text == "*" {
            return Ok(Self::Any);
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [head @ .., path] = parts.as_slice() else { return Err(refused()) };
        if head.len() != 5 || head.first() != Some(&"arn") || path.is_empty() {
            return Err(refused());
        }
        if head.iter().any(|part| part.is_empty() || part.contains('$')) {
            return Err(refused());
        }
        let part = |text: &&str| Pattern::parse(text, Special { wildcards: true, variables: false });
        let head = head.iter().map(part).collect::<Result<_, _>>()?;
        Ok(Self::Arn { head, path: Pattern::parse(path, Special { wildcards: true, variables })? })
    }

    fn matches(&self, request: &Request<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Arn { head, path } => {
                let parts = head.iter().zip(request.arn_head());
                let head = parts.into_iter().all(|(pattern, part)| pattern.matches(part, request));
                head && path.matches(&request.resource.path(), request)
            }
        }
    }
}
