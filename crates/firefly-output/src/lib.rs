//! The command lines' common part: writing to the standard streams, and the words of a shell.
//!
//! Nothing here panics when a stream cannot be written.

use std::fmt::Display;
use std::io::{self, Write as _};

use rustix::fs::{OFlags, fcntl_getfl, fstat, stat};

/// Standard output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
pub struct OutputError(#[from] io::Error);

/// Writes to standard output.
///
/// # Errors
/// [`OutputError`], such as that of a full disk or of a reader that has left.
pub fn print(text: impl AsRef<[u8]>) -> Result<(), OutputError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_ref())?;
    Ok(stdout.flush()?)
}

/// Like [`print()`], but what is written is what the command was called for: an output that was closed is an error, too.
///
/// # Errors
/// [`OutputError`].
pub fn print_result(text: impl AsRef<[u8]>) -> Result<(), OutputError> {
    if is_closed() {
        return Err(io::Error::new(io::ErrorKind::BrokenPipe, "it is closed").into());
    }
    print(text)
}

/// Writes a line to standard error. That may be closed or full, which is not a reason to end otherwise than in order.
pub fn say(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Returns a text, such as a path or a URL, as one word of a POSIX shell or of zsh. It has quotes whatever it is: zsh
/// takes the brackets of an IPv6 address for a pattern.
#[must_use]
pub fn quoted(text: impl Display) -> String {
    format!("'{}'", text.to_string().replace('\'', r"'\''"))
}

/// Returns `true` if standard output was closed when the process began: Rust's runtime has then opened /dev/null in its
/// place, for reading and writing.
fn is_closed() -> bool {
    let stdout = io::stdout();
    let (Ok(flags), Ok(opened), Ok(null)) = (fcntl_getfl(&stdout), fstat(&stdout), stat("/dev/null")) else {
        return false;
    };
    flags.contains(OFlags::RDWR) && opened.st_rdev == null.st_rdev
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::quoted;

    #[test]
    fn a_quoted_text_is_one_word_of_a_shell() {
        for text in ["plain", "two words", "it's", "'", "$HOME `id` \\ \"", "a\nb", "-n", "*", "http://[::1]:8080"] {
            let script = format!("printf %s {}", quoted(text));
            let printed = Command::new("sh").args(["-c", &script]).output().unwrap().stdout;
            assert_eq!(String::from_utf8(printed).unwrap(), text);
        }
    }

    #[test]
    fn a_quoted_url_of_an_ipv6_address_is_no_pattern() {
        // Like zsh, bash refuses a pattern that no file has, once it is told to.
        let script = format!("printf %s {}", quoted("http://[::1]:8080"));
        let printed = Command::new("bash").args(["-O", "failglob", "-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(printed.stdout).unwrap(), "http://[::1]:8080");
    }
}
