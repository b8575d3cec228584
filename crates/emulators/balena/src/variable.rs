//! The rules for variables (open-balena-api, `src/features/vars-schema/env-vars.ts`).

/// Most characters of a value.
const MAX_VALUE: usize = 100_000;

/// Names that no variable may have.
const RESERVED: [&str; 3] = ["RESIN", "BALENA", "USER"];

/// The beginnings of names that no variable may have.
const RESERVED_PREFIXES: [&str; 2] = ["RESIN_", "BALENA_"];

/// Checks a name.
///
/// # Errors
/// The text of the broken rule.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if !starts_well || !name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_') {
        return Err("Environment variable names can only contain alphanumeric characters and underscores.".to_owned());
    }
    if RESERVED.contains(&name) {
        return Err(format!("Environment variables {} are reserved", RESERVED.join(", ")));
    }
    if RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(format!("Environment variables beginning with {} are reserved.", RESERVED_PREFIXES.join(", ")));
    }
    Ok(())
}

/// Checks a value.
///
/// # Errors
/// The text of the broken rule.
pub(crate) fn check_value(value: &str) -> Result<(), String> {
    if value.contains(['\r', '\n']) {
        return Err("Variable values cannot contain line break characters".to_owned());
    }
    if value.chars().count() > MAX_VALUE {
        return Err(format!("Variable values cannot have more than {MAX_VALUE} characters"));
    }
    Ok(())
}
