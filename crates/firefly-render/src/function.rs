//! Functions, as their `function.toml` describes them.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::error::Error;
use crate::grant::Grant;
use crate::members::Members;
use crate::route::{self, Route};
use crate::store::Store;

/// MiB. Less than 256 lets the TLS handshake of a cold start take seconds; the most any handler needs is a few copies
/// of a backup of 512 KiB.
pub(crate) const MEMORY_MIB: RangeInclusive<u64> = 256..=512;
/// Seconds. API Gateway waits 30 for an integration; 29 leaves it the time to pass the answer on.
pub(crate) const TIMEOUT_SECONDS: RangeInclusive<u64> = 5..=29;

/// The members of a `function.toml`.
const MEMBERS: [&str; 7] = ["route", "caller", "summary", "memory", "timeout", "statuses", "grant"];
/// Triggers that the house foresees beside routes.
const OTHER_TRIGGERS: [&str; 3] = ["queue", "schedule", "event"];

/// A function behind a route.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Its folder under `lambdas/`, package and stack.
    pub name: String,
    /// The route that invokes it.
    pub route: Route,
    /// The caller of its route.
    pub caller: Caller,
    /// Half a sentence on what it does; it ends the description of its stack and of its package.
    pub summary: String,
    /// Its memory in MiB.
    pub memory_mib: u64,
    /// Seconds after which Lambda ends an invocation.
    pub timeout_seconds: u64,
    /// Every HTTP status it may answer, ascending.
    pub statuses: Vec<u16>,
    /// The grants of its role beside its log and AppConfig.
    pub grants: Vec<Grant>,
    /// The text of `extra.yaml`, which is merged into its template.
    pub extra: Option<String>,
}

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
    pub(crate) fn words() -> String {
        Self::ALL.map(Self::word).join(", ")
    }
}

impl Function {
    /// Reads the text of a `function.toml`, whose stores are among these.
    pub(crate) fn parse(name: &str, text: &str, extra: Option<String>, stores: &[Store]) -> Result<Self, Error> {
        let file = file(name);
        let mut members = Members::parse(&file, text)?;
        if let Some(trigger) = OTHER_TRIGGERS.into_iter().find(|trigger| members.has(trigger)) {
            return Err(members.error(trigger, "is a trigger that cannot be rendered yet; allowed is route"));
        }
        let key = members.required_text("route", route::FORM)?;
        let route = Route::parse(&key)
            .ok_or_else(|| members.error("route", format!("is {key:?}; allowed is {}", route::FORM)))?;
        let word = members.required_text("caller", &Caller::words())?;
        let caller = Caller::of_word(&word)
            .ok_or_else(|| members.error("caller", format!("is {word:?}; allowed are {}", Caller::words())))?;
        if caller == Caller::Device && !route.variables().any(|variable| variable == "uuid") {
            let problem = format!("is \"device\" on {route}; allowed is a path with {{uuid}}, the device that signs");
            return Err(members.error("caller", problem));
        }
        let function = Self {
            name: name.to_owned(),
            route,
            caller,
            summary: members.required_text("summary", "texts of one line")?,
            memory_mib: members.number("memory", &MEMORY_MIB, "MiB")?,
            timeout_seconds: members.number("timeout", &TIMEOUT_SECONDS, "seconds")?,
            statuses: statuses(&mut members)?,
            grants: members
                .tables("grant")?
                .into_iter()
                .map(|grant| Grant::read(grant, stores))
                .collect::<Result<_, _>>()?,
            extra,
        };
        members.finish(&MEMBERS)?;
        function.check_grants(&file)?;
        Ok(function)
    }

    /// The file it is read from, from the root.
    #[must_use]
    pub fn file(&self) -> String {
        file(&self.name)
    }

    /// The place among all functions when they are deployed: callers in the order of [`Caller`], few stores before
    /// many, then by path, on each path what creates before what reads, changes and deletes.
    pub(crate) fn place(&self, stores: &[Store]) -> impl Ord + use<> {
        const METHODS: [&str; 5] = ["POST", "GET", "PUT", "PATCH", "DELETE"];
        let method = METHODS.iter().position(|method| *method == self.route.method);
        (self.caller, self.stores(stores).count(), self.route.path.clone(), method)
    }

    /// The stores its grants name, in the order of `stores`.
    pub fn stores<'a>(&self, stores: &'a [Store]) -> impl Iterator<Item = &'a Store> {
        let named: BTreeSet<_> = self.grants.iter().filter_map(|grant| grant.on.store()).map(str::to_owned).collect();
        stores.iter().filter(move |store| named.contains(&store.name))
    }

    /// The access to one store in words, such as `read/write`.
    pub(crate) fn access(&self, store: &Store) -> String {
        let grants = self.grants.iter().filter(|grant| grant.on.store() == Some(&store.name));
        let mut words: Vec<String> = Vec::new();
        for word in grants.flat_map(Grant::access) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.join("/")
    }

    /// Each resource has one grant: two would have to be read together.
    fn check_grants(&self, file: &str) -> Result<(), Error> {
        for (index, grant) in self.grants.iter().enumerate() {
            let same = |other: &Grant| other.on == grant.on && other.when == grant.when;
            if self.grants[..index].iter().any(same) {
                let problem = "is what another grant is on; allowed is one grant for each";
                return Err(Error::of_member(file, &format!("grant[{index}].on"), problem));
            }
        }
        Ok(())
    }
}

/// The file of a function, from the root.
pub(crate) fn file(name: &str) -> String {
    format!("lambdas/{name}/function.toml")
}

fn statuses(members: &mut Members<'_>) -> Result<Vec<u16>, Error> {
    let read =
        |item: &toml::Value| u16::try_from(item.as_integer()?).ok().filter(|status| (200..=599).contains(status));
    let statuses = members.items("statuses", "HTTP statuses from 200 to 599", read)?;
    if statuses.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(members.error("statuses", format!("is {statuses:?}; allowed are statuses in ascending order")));
    }
    Ok(statuses)
}
