/// Returns the value of a function's row in a table of special cases, if it has one.
///
/// # Panics
///
/// Panics when a row names a function that does not exist.
#[track_caller]
pub fn special_case<T: Copy>(table: &[(&str, T)], function: &str) -> Option<T> {
    for (name, _) in table {
        assert!(firefly_functions::named(name).is_some(), "the table names {name}, which is not a function");
    }
    table.iter().find(|(name, _)| *name == function).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_its_functions_and_no_others() {
        let table = [("func-api-health-get", 1), ("func-api-devices-get", 2)];
        assert_eq!(special_case(&table, "func-api-devices-get"), Some(2));
        assert_eq!(special_case(&table, "func-api-devices-register-post"), None);
    }

    #[test]
    #[should_panic(expected = "the table names func-api-devices-put, which is not a function")]
    fn a_row_of_no_function_fails() {
        special_case(&[("func-api-devices-put", 1)], "func-api-devices-get");
    }
}
