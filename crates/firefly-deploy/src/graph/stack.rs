//! A stack and its needs of others.

/// A stack that CI deploys and deletes.
#[derive(Debug, Clone, Copy)]
pub struct Stack {
    /// The name of its workflow and of its samconfig.toml environment.
    pub name: &'static str,
    /// The text of its template, as it was when this program was built.
    pub template: &'static str,
    /// The stacks that must exist while it exists.
    pub needs: &'static [Need],
}

/// One stack's need of another.
#[derive(Debug)]
pub struct Need {
    /// The stack that is needed.
    pub stack: &'static str,
    /// The purpose of the need.
    pub purpose: Purpose,
}

/// The purpose of a need.
#[derive(Debug)]
pub enum Purpose {
    /// The routes of the HTTP API, and the outputs that name it.
    Route(&'static [&'static str]),
    /// The HTTP API whose metrics and access log are watched.
    Watch,
    /// The users whose tokens the API accepts.
    UserPool,
    /// The layer of every function, and the layer of the AppConfig extension.
    Layer,
    /// A table, with the access that is granted to it.
    Table(&'static str),
    /// The bucket, with the access that is granted to it.
    Bucket(&'static str),
}

impl Purpose {
    /// Returns the outputs of the needed stack that are parameters of the needing one, by the same names.
    #[must_use]
    pub fn outputs(&self) -> &'static [&'static str] {
        match self {
            Self::Route(outputs) => outputs,
            Self::Watch => &["ApiId"],
            Self::UserPool => &["UserPoolId", "UserPoolClientId"],
            Self::Layer => &["SharedLayerArn", "AppConfigExtensionLayerArn"],
            // Their names are fixed or come from the environment: a function deploys without them.
            Self::Table(_) | Self::Bucket(_) => &[],
        }
    }

    pub(super) fn deploy_reason(&self) -> String {
        match self {
            Self::Route(outputs) => format!("{} resolved from stack outputs", outputs.join(" and ")),
            Self::Watch => "ApiId resolved from stack outputs".to_owned(),
            Self::UserPool => "UserPoolId and UserPoolClientId resolved from stack outputs".to_owned(),
            Self::Layer => "Lambda layer must exist before function deployment".to_owned(),
            Self::Table(access) => {
                format!("Table must exist before the function is deployed and granted {access} access")
            }
            Self::Bucket(access) => {
                format!("S3 bucket must exist before the function is deployed and granted {access} access")
            }
        }
    }

    /// Returns the reason why the needing stack is deleted first, for that stack's own table.
    pub(super) fn delete_reason(&self) -> &'static str {
        match self {
            Self::Route(_) => "Route registration must be removed before the API Gateway stack is deleted",
            Self::Watch => "Alarms of an API that is gone would stay silent for the one that follows it",
            Self::UserPool => "JWT authorizer referencing the user pool must be removed first",
            Self::Layer => "Layer reference must be removed before the layer stack is deleted",
            Self::Table(_) => "IAM permissions referencing the table must be removed first",
            Self::Bucket(_) => "IAM permissions referencing the bucket must be removed first",
        }
    }

    /// Like [`Purpose::delete_reason`], but for the needed stack's table.
    pub(super) fn delete_prerequisite(&self) -> &'static str {
        match self {
            Self::Table(_) => "Lambda IAM permissions referencing this table must be removed first",
            Self::Bucket(_) => "Lambda IAM permissions referencing this bucket must be removed first",
            _ => self.delete_reason(),
        }
    }
}

/// The API that a function's route is added to.
pub(super) const API: Need = Need { stack: "api-gateway", purpose: Purpose::Route(&["ApiId"]) };
/// Like [`API`], but with the authorizer that lets users in.
pub(super) const API_FOR_USERS: Need =
    Need { stack: "api-gateway", purpose: Purpose::Route(&["ApiId", "AuthorizerId"]) };
/// The layers of a function.
pub(super) const LAYER: Need = Need { stack: "shared-layer", purpose: Purpose::Layer };

/// Returns the need of a table that a function is granted this access to.
pub(super) const fn table(stack: &'static str, access: &'static str) -> Need {
    Need { stack, purpose: Purpose::Table(access) }
}

/// Returns the need of a bucket that a function is granted this access to.
pub(super) const fn bucket(stack: &'static str, access: &'static str) -> Need {
    Need { stack, purpose: Purpose::Bucket(access) }
}

/// Makes a stack whose template is below `stacks/`.
macro_rules! stack {
    ($name:literal, $needs:expr) => {
        Stack {
            name: $name,
            template: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../stacks/", $name, ".yaml")),
            needs: $needs,
        }
    };
}

/// Makes a function's stack.
macro_rules! function {
    ($name:literal, $needs:expr) => {
        Stack {
            name: $name,
            template: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../lambdas/", $name, "/template.yaml")),
            needs: $needs,
        }
    };
}

pub(super) use {function, stack};
