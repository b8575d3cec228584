//! A random generator that a function's parts share.

use std::sync::{Arc, Mutex, PoisonError};

use rand::CryptoRng;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;

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

    /// Draws something with the generator.
    pub fn draw<T>(&self, draw: impl FnOnce(&mut (dyn CryptoRng + Send + 'static)) -> T) -> T {
        draw(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
