//! Names of functions, and the names that follow from them.

/// The form of a name, for errors.
pub(crate) const FORM: &str = "func-api- and words of small letters and digits, each beginning with a letter, joined \
                               by -, 51 characters at most";
const PREFIX: &str = "func-api-";
/// A role's name is at most 64 characters and is `firefly-NAME-role`. Source: IAM User Guide, "IAM and AWS STS quotas".
const LONGEST: usize = 64 - "firefly-".len() - "-role".len();

/// Returns `true` if this is the name of a function: of its folder, package and stack.
pub(crate) fn is_valid(name: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
    };
    name.len() <= LONGEST && name.strip_prefix(PREFIX).is_some_and(|rest| rest.split('-').all(is_word))
}

/// The words of a name after `func-api-`.
pub(crate) fn words(name: &str) -> impl Iterator<Item = &str> {
    name.strip_prefix(PREFIX).unwrap_or(name).split('-')
}

/// The logical id in the root template: `func-api-devices-get` is `DevicesGet`.
pub(crate) fn logical_id(name: &str) -> String {
    let capitalised = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    words(name).map(capitalised).collect()
}

/// The id of its metrics in an alarm: `func-api-devices-get` is `devices_get`.
pub(crate) fn metric_id(name: &str) -> String {
    words(name).collect::<Vec<_>>().join("_")
}

/// The name of its library in Rust.
pub(crate) fn crate_name(name: &str) -> String {
    name.replace('-', "_")
}
