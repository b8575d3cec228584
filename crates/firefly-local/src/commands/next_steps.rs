//! The text that a started cloud prints: where it is, and commands to try that work when pasted.

use std::fmt;
use std::path::Path;

use firefly_core::group::SUPER_USERS;
use firefly_output::quoted;

use crate::args::{DEFAULT_DATA_DIR, DEFAULT_URL};

/// The parts of the text.
pub(crate) struct NextSteps<'a> {
    /// A URL of the API that works on this machine.
    pub(crate) url: &'a str,
    /// `true` if the API listens at every address of the machine.
    pub(crate) is_everywhere: bool,
    /// The URLs of DynamoDB and S3.
    pub(crate) engines: [&'a str; 2],
    pub(crate) bucket: &'a str,
    pub(crate) data_dir: &'a Path,
    /// `true` if data go with the process.
    pub(crate) ephemeral: bool,
    /// `true` if the developer issuer's tokens are accepted.
    pub(crate) has_developer_tokens: bool,
}

impl NextSteps<'_> {
    /// The option of the URL, where it is not the default.
    fn url_option(&self) -> String {
        if self.url == DEFAULT_URL { String::new() } else { format!(" --url {}", quoted(self.url)) }
    }

    /// The option of the data directory, where it is not the default.
    fn data_dir_option(&self) -> String {
        let is_default = self.data_dir == Path::new(DEFAULT_DATA_DIR);
        if is_default { String::new() } else { format!(" --data-dir {}", quoted(self.data_dir.display())) }
    }

    /// The command that mints a key and prints it.
    fn mint(&self) -> String {
        if self.has_developer_tokens {
            return format!("cargo run -q -- mint{}{}", self.url_option(), self.data_dir_option());
        }
        let key = r#"sed 's/.*"key":"\([^"]*\)".*/\1/'"#;
        let url = quoted(format_args!("{}/registration-keys", self.url));
        format!(r#"curl -s -X POST -H "Authorization: Bearer $TOKEN" {url} | {key}"#)
    }
}

impl fmt::Display for NextSteps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, engines: [dynamodb, s3], bucket, .. } = self;
        writeln!(f, "FireFly Cloud answers at {url}")?;
        if self.is_everywhere {
            writeln!(f, "It listens at every address of this machine.")?;
        }
        writeln!(f, "DynamoDB {dynamodb}  S3 {s3}  bucket {bucket}")?;
        if self.ephemeral {
            writeln!(f, "Data are kept until this process ends.\n")?;
        } else {
            writeln!(f, "Data are kept in {}.\n", self.data_dir.display())?;
        }
        if self.has_developer_tokens {
            writeln!(f, "In a second terminal, in this directory:\n")?;
        } else {
            writeln!(f, "In a second terminal, in this directory, with a token of your issuer in TOKEN:\n")?;
        }
        let device = "cargo run -q -p firefly-device --";
        let at = self.url_option();
        writeln!(f, "  {device} new")?;
        writeln!(f, "  {device} register{at} --key \"$({})\"", self.mint())?;
        writeln!(f, "  {device} status{at}")?;
        writeln!(f, "  {device} backup{at} README.md")?;
        writeln!(f, "  {device} restore{at} restored.md\n")?;
        let dir = self.data_dir_option();
        if self.has_developer_tokens {
            writeln!(f, "A developer token, for a user and for a super user:\n")?;
            writeln!(f, "  cargo run -q -- token{dir}")?;
            writeln!(f, "  cargo run -q -- token{dir} --group {SUPER_USERS}\n")?;
        }
        writeln!(f, "The engines, for aws-cli and SDKs:\n")?;
        writeln!(f, "  eval \"$(cargo run -q -- env{dir})\"\n")?;
        write!(f, "Ctrl-C ends it.")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::NextSteps;

    fn steps<'a>(url: &'a str, data_dir: &'a str) -> NextSteps<'a> {
        NextSteps {
            url,
            is_everywhere: false,
            engines: ["http://127.0.0.1:1", "http://127.0.0.1:2"],
            bucket: "backups",
            data_dir: Path::new(data_dir),
            ephemeral: false,
            has_developer_tokens: true,
        }
    }

    #[test]
    fn the_default_url_and_directory_are_not_repeated() {
        let text = steps("http://127.0.0.1:8080", ".firefly").to_string();
        assert!(text.starts_with("FireFly Cloud answers at http://127.0.0.1:8080\n"), "{text}");
        assert!(!text.contains("--url") && !text.contains("--data-dir"), "{text}");
        let text = steps("http://127.0.0.1:9000", "it's here").to_string();
        assert_eq!(text.matches(" --url 'http://127.0.0.1:9000'").count(), 5, "{text}");
        assert_eq!(text.matches(r" --data-dir 'it'\''s here'").count(), 4, "{text}");
    }

    /// Like zsh, bash is told to refuse a pattern that no file has.
    #[test]
    fn the_commands_of_a_cloud_at_an_ipv6_address_have_no_pattern() {
        let developer = steps("http://[::1]:9000", "[data]");
        for steps in [NextSteps { has_developer_tokens: false, ..developer }, developer] {
            let text = steps.to_string();
            let commands = text.lines().filter_map(|line| line.strip_prefix("  "));
            let commands: Vec<_> = commands.filter(|line| line.contains(['[', ']'])).collect();
            assert!(commands.len() >= 5, "{text}");
            for command in commands {
                let script = format!("cargo() {{ :; }}; curl() {{ :; }}; {command}");
                let output = Command::new("bash").args(["-O", "failglob", "-c", &script]).output().unwrap();
                assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command}");
            }
        }
    }

    #[test]
    fn another_issuer_has_no_developer_tokens() {
        let text = NextSteps { has_developer_tokens: false, ..steps("http://127.0.0.1:8080", ".firefly") }.to_string();
        for absent in ["-- mint", "-- token", "developer"] {
            assert!(!text.contains(absent), "{absent} is in {text}");
        }
        assert!(text.contains("token of your issuer in TOKEN"), "{text}");
    }
}
