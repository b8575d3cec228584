//! What surrounds a function: its environment variables and the operating system's random generator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use firefly_core::registration::RegistrationKey;
use firefly_core::replay::AttemptId;
use rand::CryptoRng;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;

/// Why a function cannot be started.
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
        /// What it should hold.
        expected: &'static str,
    },
    /// The TLS roots cannot be used.
    #[error("the TLS trust store cannot be built: {0}")]
    TrustStore(String),
}

/// The environment variables of one function, the defaults of the shared layer and the random generator.
///
/// Only a binary's `main` reads the process environment; everything else is handed this.
#[derive(Clone)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    asked: Arc<Mutex<BTreeSet<String>>>,
    defaults: Option<String>,
    random: Random,
}

impl Environment {
    /// An environment of these variables, without defaults, drawing from the operating system's generator.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            variables: variables.into_iter().collect(),
            asked: Arc::default(),
            defaults: None,
            random: Random::operating_system(),
        }
    }

    /// The same with the text of the shared layer's `firefly/defaults.json`; `None` where the layer is absent.
    #[must_use]
    pub fn with_defaults(self, defaults: Option<String>) -> Self {
        Self { defaults, ..self }
    }

    /// The same with another generator, for tests that need known values.
    #[must_use]
    pub fn with_random(self, random: Random) -> Self {
        Self { random, ..self }
    }

    /// The value of a variable that must be set and not empty.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Missing`] when it is absent or empty.
    pub fn required(&self, name: &'static str) -> Result<&str, ConfigError> {
        self.optional(name).ok_or(ConfigError::Missing { name })
    }

    /// The value of a variable; an empty one counts as absent.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The names of all variables that were asked for, set or not, of this environment and its copies.
    pub fn asked(&self) -> BTreeSet<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

/// A cryptographically secure random generator that can be shared.
#[derive(Clone)]
pub struct Random(Arc<Mutex<dyn CryptoRng + Send>>);

impl Random {
    /// The operating system's generator (`getrandom(2)`).
    pub fn operating_system() -> Self {
        Self::from_rng(UnwrapErr(SysRng))
    }

    /// Any generator.
    pub fn from_rng(generator: impl CryptoRng + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(generator)))
    }

    /// A new registration key.
    pub(crate) fn registration_key(&self) -> RegistrationKey {
        RegistrationKey::generate(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A new mark for one attempt at admitting a nonce.
    pub(crate) fn attempt_id(&self) -> AttemptId {
        let mut bytes = [0; 8];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        AttemptId::new(bytes)
    }
}
