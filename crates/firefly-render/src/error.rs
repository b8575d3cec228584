//! The one way in which rendering fails.

/// A tree that cannot be rendered. `Display` is one line: file, member, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Error {
    place: String,
    problem: String,
}

impl Error {
    /// A problem of a whole file or folder, named from the root of the tree.
    pub(crate) fn of_file(file: &str, problem: impl Into<String>) -> Self {
        Self::new(file.to_owned(), problem)
    }

    /// A folder that has to be there cannot be read.
    pub(crate) fn of_folder(folder: &str, error: &std::io::Error) -> Self {
        let problem = match error.kind() {
            std::io::ErrorKind::NotFound => "is missing; allowed is a tree with lambdas/ and stacks/".to_owned(),
            _ => error.to_string(),
        };
        Self::of_file(folder, problem)
    }

    /// A problem of a file's member, such as `caller` or `grant[0].on`.
    pub(crate) fn of_member(file: &str, member: &str, problem: impl Into<String>) -> Self {
        Self::new(format!("{file}, {member}"), problem)
    }

    fn new(place: String, problem: impl Into<String>) -> Self {
        let problem = problem.into().split_whitespace().collect::<Vec<_>>().join(" ");
        Self { place, problem }
    }
}
