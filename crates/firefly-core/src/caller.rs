//! Who signs in: the user whom a verified token names, and evidence of a group.

/// The Cognito group whose members may list all devices.
pub const SUPER_USERS: &str = "super_users";

/// A signed-in user. It has no `Debug`: an e-mail address is not for logs.
pub struct Caller {
    sub: String,
    email: Option<String>,
}

impl Caller {
    /// The user of a token's claims `sub` and `email`; `None` without `sub`. Access tokens carry no `email`, and an empty
    /// claim counts as absent.
    #[must_use]
    pub fn of_claims(sub: Option<&str>, email: Option<&str>) -> Option<Self> {
        let present = |claim: Option<&str>| claim.filter(|value| !value.is_empty()).map(str::to_owned);
        Some(Self { sub: present(sub)?, email: present(email) })
    }

    /// The claim `sub`, not empty.
    #[must_use]
    pub fn sub(&self) -> &str {
        &self.sub
    }

    /// The claim `email`, not empty.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }
}

/// Evidence that the caller is a member of [`SUPER_USERS`]; made by [`super_user`] alone.
#[derive(Debug)]
pub struct SuperUser {
    _evidence: (),
}

/// Judges the groups of a verified token; `None` for a caller who is not a member of [`SUPER_USERS`].
pub fn super_user<'a>(groups: impl IntoIterator<Item = &'a str>) -> Option<SuperUser> {
    groups.into_iter().any(|group| group == SUPER_USERS).then_some(SuperUser { _evidence: () })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_without_sub_is_none() {
        for sub in [None, Some("")] {
            assert!(Caller::of_claims(sub, Some("anna@example.com")).is_none(), "{sub:?}");
        }
    }

    #[test]
    fn an_empty_email_is_absent() {
        for (email, kept) in [(None, None), (Some(""), None), (Some("a@example.com"), Some("a@example.com"))] {
            let caller = Caller::of_claims(Some("anna"), email).unwrap();
            assert_eq!((caller.sub(), caller.email()), ("anna", kept));
        }
    }

    #[test]
    fn only_the_whole_name_of_the_group_makes_a_super_user() {
        assert!(super_user(["users", "super_users"]).is_some());
        for groups in [&[][..], &[""], &["users"], &["super_users2"], &["Super_Users"], &["super", "users"]] {
            assert!(super_user(groups.iter().copied()).is_none(), "{groups:?}");
        }
    }
}
