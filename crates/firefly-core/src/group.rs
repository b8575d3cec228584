//! The groups of users that a route may ask for.

/// The Cognito group whose members see every device. The stack `firefly-cognito` defines it under this name.
pub const SUPER_USERS: &str = "super_users";
