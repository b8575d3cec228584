//! The callers that a function can have.

/// The caller of a route. The order is the one in which functions are deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// Anyone may call it.
    Anyone,
    /// Holders of a token of the user pool.
    User,
    /// Holders of a registration key, which the function checks.
    Key,
    /// Devices, whose signature the function verifies.
    Device,
    /// Holders of a token that says `super_users`, which the function checks.
    SuperUser,
}

impl Caller {
    /// Every caller, in the order in which `function.toml`'s errors list them.
    pub const ALL: [Self; 5] = [Self::Anyone, Self::Device, Self::Key, Self::User, Self::SuperUser];

    /// The word in `function.toml`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::User => "user",
            Self::Key => "key",
            Self::Device => "device",
            Self::SuperUser => "super_user",
        }
    }

    /// The caller of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|caller| caller.word() == word)
    }

    /// Returns `true` if API Gateway asks for a token of the user pool.
    #[must_use]
    pub fn has_token(self) -> bool {
        matches!(self, Self::User | Self::SuperUser)
    }

    /// All words, for errors.
    #[must_use]
    pub fn words() -> String {
        Self::ALL.map(Self::word).join(", ")
    }
}
