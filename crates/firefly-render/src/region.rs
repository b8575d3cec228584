//! The rendered part of a file that is otherwise written by hand, between two marker comments.

use crate::error::Error;

/// Replaces the lines between a file's markers `# begin NAME: …` and `# end NAME`. The markers keep their indentation.
pub(crate) fn replace(file: &str, text: &str, name: &str, body: &str) -> Result<String, Error> {
    let (begin, end) = (begin(name), format!("# end {name}"));
    let at = |marker: &str| {
        let mut lines = text.lines().enumerate().filter(|(_, line)| line.trim() == marker).map(|(number, _)| number);
        match (lines.next(), lines.next()) {
            (Some(line), None) => Ok(line),
            (None, _) => {
                Err(Error::of_file(file, format!("has no line `{marker}`; allowed is one, before what is rendered")))
            }
            (_, Some(line)) => {
                let problem = format!("is a second `{marker}`; allowed is one");
                Err(Error::of_member(file, &format!("line {}", line + 1), problem))
            }
        }
    };
    let (first, last) = (at(&begin)?, at(&end)?);
    if last < first {
        let problem = format!("`{end}` stands before `{begin}`; allowed is after it");
        return Err(Error::of_member(file, &format!("line {}", last + 1), problem));
    }
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    Ok([&lines[..=first].concat(), body, &lines[last..].concat()].concat())
}

fn begin(name: &str) -> String {
    format!("# begin {name}: rendered by firefly-render from lambdas/*/function.toml; do not edit")
}
