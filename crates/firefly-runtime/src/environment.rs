//! A function's surroundings: environment variables, the shared layer's defaults and a random generator.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::random::Random;

/// The reason for which a function cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An environment variable the function reads is absent or empty.
    #[error("environment variable {name} is not set")]
    Missing {
        /// The variable's name.
        name: &'static str,
    },
    /// An environment variable holds something else than it must.
    #[error("environment variable {name} is not {expected}")]
    Invalid {
        /// The variable's name.
        name: &'static str,
        /// The form it should have.
        expected: &'static str,
    },
    /// The environment leads a client to no endpoint.
    #[error("{service} cannot be called: {cause}")]
    Endpoint {
        /// The service's name.
        service: &'static str,
        /// The reason, as the SDK gives it.
        cause: String,
    },
    /// The TLS roots cannot be used.
    #[error("the TLS trust store cannot be built: {0}")]
    TrustStore(String),
}

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The environment variables of one function, the defaults of the shared layer and the random generator.
///
/// Only a binary's `main` reads the process environment; everything else is handed this.
#[derive(Clone)]
pub struct Environment {
    lookup: Arc<Lookup>,
    defaults: Option<String>,
    random: Random,
}

impl Environment {
    /// An environment of these variables, without defaults, drawing from the operating system's generator.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables: BTreeMap<_, _> = variables.into_iter().collect();
        Self::from_fn(move |name| variables.get(name).cloned())
    }

    /// Like [`Self::new`], but `lookup` finds the value of a variable by its name.
    pub fn from_fn(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { lookup: Arc::new(lookup), defaults: None, random: Random::operating_system() }
    }

    /// Adds the text of the shared layer's `firefly/defaults.json`; `None` where the layer is absent.
    #[must_use]
    pub fn with_defaults(self, defaults: Option<String>) -> Self {
        Self { defaults, ..self }
    }

    /// Replaces the generator, for tests that need known values.
    #[must_use]
    pub fn with_random(self, random: Random) -> Self {
        Self { random, ..self }
    }

    /// The value of a variable that must be set and not empty.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Missing`] when it is absent or empty.
    pub fn required(&self, name: &'static str) -> Result<String, ConfigError> {
        self.optional(name).ok_or(ConfigError::Missing { name })
    }

    /// The value of a variable; an empty one counts as absent.
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// The value of a variable that is `true` or `false` in any case of letters, as in AWS's SDKs.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] for any other text.
    pub fn switch(&self, name: &'static str) -> Result<Option<bool>, ConfigError> {
        let parse = |text: String| text.to_ascii_lowercase().parse();
        self.optional(name).map(parse).transpose().map_err(|_| ConfigError::Invalid { name, expected: "true or false" })
    }

    /// The text of the shared layer's `firefly/defaults.json`, if the layer is there.
    pub fn defaults(&self) -> Option<&str> {
        self.defaults.as_deref()
    }

    /// The random generator.
    pub fn random(&self) -> Random {
        self.random.clone()
    }
}
