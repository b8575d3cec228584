//! The groups of users that a route may ask for, and evidence of membership.

/// The Cognito group whose members see every device. The stack `firefly-cognito` defines it under this name.
pub const SUPER_USERS: &str = "super_users";

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
    fn only_the_whole_name_of_the_group_makes_a_super_user() {
        assert!(super_user(["users", "super_users"]).is_some());
        for groups in [&[][..], &[""], &["users"], &["super_users2"], &["Super_Users"], &["super", "users"]] {
            assert!(super_user(groups.iter().copied()).is_none(), "{groups:?}");
        }
    }
}
