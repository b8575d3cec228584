//! The requests that policies allow or deny.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// The actions of the message broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Connecting with a client id.
    Connect,
    /// Publishing to a topic.
    Publish,
    /// Being sent a message of a topic.
    Receive,
    /// Subscribing to a topic filter.
    Subscribe,
    /// Publishing to a topic with the RETAIN flag; it needs [`Self::Publish`] as well.
    RetainPublish,
}

impl Action {
    /// The name of the action in policies, such as `iot:Connect`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "iot:Connect",
            Self::Publish => "iot:Publish",
            Self::Receive => "iot:Receive",
            Self::Subscribe => "iot:Subscribe",
            Self::RetainPublish => "iot:RetainPublish",
        }
    }
}

/// The resource of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// The client id of a connection.
    Client(&'a str),
    /// The topic of a message.
    Topic(&'a str),
    /// The topic filter of a subscription, with its `+` and `#`.
    TopicFilter(&'a str),
}

impl Resource<'_> {
    /// The last part of the resource's ARN, such as `topic/sensors`.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Client(id) => format!("client/{id}"),
            Self::Topic(topic) => format!("topic/{topic}"),
            Self::TopicFilter(filter) => format!("topicfilter/{filter}"),
        }
    }
}

/// The Thing that a connection is for: the one that the certificate is attached to exclusively, else the one whose name is
/// the client id.
#[derive(Debug, Clone, Copy)]
pub struct Thing<'a> {
    /// The name.
    pub name: &'a str,
    /// The name of the type, if the Thing has one.
    pub type_name: Option<&'a str>,
    /// The attributes.
    pub attributes: &'a BTreeMap<String, String>,
    /// The certificate is attached to the Thing. Without that no variable of the Thing has a value.
    pub attached: bool,
}

/// One action on one resource, by a connection.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The action.
    pub action: Action,
    /// The resource.
    pub resource: Resource<'a>,
    /// The client id of the connection.
    pub client_id: &'a str,
    /// The values of `iot:ConnectAttributes`: `PersistentConnect` without a clean session, `LastWill` with a will.
    /// Only [`Action::Connect`] has any.
    pub connect_attributes: &'a [&'a str],
    /// The Thing of the connection, if there is one.
    pub thing: Option<Thing<'a>>,
    /// The account's number, 12 digits.
    pub account: &'a str,
    /// The region, such as `eu-central-1`.
    pub region: &'a str,
}

/// A policy variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Variable {
    ClientId,
    ThingName,
    ThingTypeName,
    Attribute(String),
    IsAttached,
}

impl Variable {
    /// Reads the text between `${` and `}`; `None` for a variable that the broker does not know.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "iot:ClientId" => Some(Self::ClientId),
            "iot:Connection.Thing.ThingName" => Some(Self::ThingName),
            "iot:Connection.Thing.ThingTypeName" => Some(Self::ThingTypeName),
            "iot:Connection.Thing.IsAttached" => Some(Self::IsAttached),
            _ => {
                let name = text.strip_prefix("iot:Connection.Thing.Attributes[")?.strip_suffix(']')?;
                (!name.is_empty()).then(|| Self::Attribute(name.to_owned()))
            }
        }
    }
}

impl<'a> Request<'a> {
    /// The value of a variable in this request; `None` where it has none.
    pub(super) fn value(&self, variable: &Variable) -> Option<Cow<'a, str>> {
        let thing = self.thing.filter(|thing| thing.attached);
        match variable {
            Variable::ClientId => Some(self.client_id.into()),
            Variable::IsAttached => Some(thing.is_some().to_string().into()),
            Variable::ThingName => Some(thing?.name.into()),
            Variable::ThingTypeName => Some(thing?.type_name?.into()),
            Variable::Attribute(name) => Some(thing?.attributes.get(name)?.into()),
        }
    }

    /// The parts of the resource's ARN before the last.
    pub(super) fn arn_head(&self) -> [&'a str; 5] {
        let partition = match self.region {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        ["arn", partition, "iot", self.region, self.account]
    }
}
