//! `firefly-local token`: a developer token.

use std::path::Path;

use clap::Args;
use firefly_core::group::SUPER_USERS;
use firefly_core::time::UnixSeconds;
use firefly_local::issuer::{DeveloperIssuer, Identity};
use firefly_local::private_dir;

use crate::args::DataDirArg;
use crate::output::{Failure, print};

/// The life of a developer token, in seconds.
const TOKEN_LIFETIME_SECONDS: u64 = 24 * 60 * 60;
/// The user that a token is for unless another is named.
const DEVELOPER_SUB: &str = "developer";
/// The user's e-mail address unless another is given.
const DEVELOPER_EMAIL: &str = "developer@firefly.local";

#[derive(Args)]
pub(crate) struct Token {
    #[command(flatten)]
    data_dir: DataDirArg,
    #[command(flatten)]
    identity: IdentityArgs,
}

#[derive(Args)]
pub(crate) struct IdentityArgs {
    /// The user's id, the claim `sub`.
    #[arg(long, default_value = DEVELOPER_SUB)]
    sub: String,
    /// The user's e-mail address.
    #[arg(long, default_value = DEVELOPER_EMAIL)]
    email: String,
    #[arg(
        long = "group",
        value_name = "GROUP",
        value_parser = group,
        help = format!("A Cognito group of the user, such as {SUPER_USERS}; may be given more than once")
    )]
    groups: Vec<String>,
}

/// Reads the name of a group.
fn group(name: &str) -> Result<String, &'static str> {
    if name.is_empty() || name.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return Err("the name of a Cognito group is not empty and has no white space");
    }
    Ok(name.to_owned())
}

impl Token {
    /// Prints a token that is issued now.
    pub(crate) fn run(self, now: UnixSeconds) -> Result<(), Failure> {
        print(self.identity.token(&self.data_dir.data_dir, now)?)
    }
}

impl IdentityArgs {
    /// The developer as a member of `super_users`.
    pub(crate) fn super_user() -> Self {
        Self { sub: DEVELOPER_SUB.to_owned(), email: DEVELOPER_EMAIL.to_owned(), groups: vec![SUPER_USERS.to_owned()] }
    }

    /// A token of the data directory's issuer for this user.
    pub(crate) fn token(self, data_dir: &Path, now: UnixSeconds) -> Result<String, Failure> {
        private_dir(data_dir)?;
        let issuer = DeveloperIssuer::open(data_dir)?;
        let email = Some(self.email).filter(|email| !email.is_empty());
        let identity = Identity { sub: self.sub, email, groups: self.groups };
        Ok(issuer.token(&identity, now, TOKEN_LIFETIME_SECONDS)?)
    }
}
