//! A signed-in user, as a verified token names them.

/// A signed-in user. It has no `Debug`: an e-mail address is not for logs.
pub struct User {
    sub: String,
    email: Option<String>,
}

impl User {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_sub_is_none() {
        for sub in [None, Some("")] {
            assert!(User::of_claims(sub, Some("anna@example.com")).is_none(), "{sub:?}");
        }
    }

    #[test]
    fn an_empty_email_is_absent() {
        for (email, kept) in [(None, None), (Some(""), None), (Some("a@example.com"), Some("a@example.com"))] {
            let user = User::of_claims(Some("anna"), email).unwrap();
            assert_eq!((user.sub(), user.email()), ("anna", kept));
        }
    }
}
