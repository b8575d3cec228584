//! The credentials of a cloud, and the principals that have them.

use std::collections::BTreeMap;

use emulator_kit::{Grants, Principal, Principals};
use firefly_templates::FunctionTemplate;

use super::options::{CloudOptions, Credentials};

/// The developer's access key id. The developer may do everything in the embedded engines.
const DEVELOPER: &str = "firefly-local";

/// The credentials of a cloud.
pub(super) struct Access {
    /// The credentials of all who may call the embedded engines.
    pub(super) credentials: emulator_kit::Credentials,
    /// Region and credentials that were given for external engines. The functions call all engines with them.
    external: Option<BTreeMap<String, String>>,
}

impl Access {
    /// Draws credentials, or takes those of another cloud.
    pub(super) fn of(options: &CloudOptions) -> Self {
        match &options.credentials {
            Credentials::Own(given) => {
                let external = options.dynamodb_endpoint.is_some() || options.s3_endpoint.is_some();
                let credentials = emulator_kit::Credentials::generate();
                Self { credentials, external: external.then(|| given.clone()) }
            }
            Credentials::Shared(credentials) => Self { credentials: credentials.clone(), external: None },
        }
    }

    /// The principals of the embedded engines: each function for the actions that its template grants, the developer for
    /// everything, and so whoever has the credentials that were given for external engines.
    pub(super) fn principals<'a>(&self, functions: impl Iterator<Item = &'a FunctionTemplate>) -> Principals {
        let principal = |name: &str, grants| Principal {
            access_key_id: name.to_owned(),
            secret_access_key: self.credentials.secret_access_key().to_owned(),
            session_token: Some(self.credentials.session_token().to_owned()),
            grants,
        };
        let functions = functions.map(|template| {
            let actions = template.actions.iter().map(|grant| grant.action.as_str());
            principal(&template.name, Grants::actions(actions))
        });
        let given = self.external.as_ref().and_then(|given| {
            Some(Principal {
                access_key_id: given.get("AWS_ACCESS_KEY_ID")?.clone(),
                secret_access_key: given.get("AWS_SECRET_ACCESS_KEY")?.clone(),
                session_token: given.get("AWS_SESSION_TOKEN").filter(|token| !token.is_empty()).cloned(),
                grants: Grants::Everything,
            })
        });
        Principals::new(functions.chain([principal(DEVELOPER, Grants::Everything)]).chain(given))
    }

    /// The developer's credentials as environment variables. Those that were given for external engines replace them if
    /// they have the same access key id.
    pub(super) fn of_developer(&self) -> BTreeMap<String, String> {
        let same = |given: &&BTreeMap<_, _>| given.get("AWS_ACCESS_KEY_ID").is_some_and(|id| id == DEVELOPER);
        match self.external.as_ref().filter(same) {
            Some(given) => given.clone(),
            None => self.credentials.environment(DEVELOPER),
        }
    }

    /// Replaces region and credentials in a function's variables by those that were given for external engines.
    pub(super) fn overrule(&self, variables: &mut BTreeMap<String, String>) {
        if let Some(given) = &self.external {
            for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
                variables.remove(name);
            }
            variables.extend(given.clone());
        }
    }
}
