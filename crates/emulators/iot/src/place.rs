//! Account and region, and the ARNs in them.

use crate::error::RegistryError;
use crate::refusal::Refusal;

/// Where the registry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) account: String,
    pub(crate) region: String,
}

impl Place {
    pub(crate) fn new(account: &str, region: &str) -> Result<Self, RegistryError> {
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RegistryError::Place(account.to_owned()));
        }
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if region.is_empty() || !region.bytes().all(allowed) {
            return Err(RegistryError::Place(region.to_owned()));
        }
        Ok(Self { account: account.to_owned(), region: region.to_owned() })
    }

    fn arn(&self, kind: &str, name: &str) -> String {
        let Self { account, region } = self;
        let partition = match region.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:iot:{region}:{account}:{kind}/{name}")
    }

    pub(crate) fn thing_arn(&self, name: &str) -> String {
        self.arn("thing", name)
    }

    pub(crate) fn policy_arn(&self, name: &str) -> String {
        self.arn("policy", name)
    }

    pub(crate) fn certificate_arn(&self, id: &str) -> String {
        self.arn("cert", id)
    }

    /// The id in the ARN of a certificate of this account and region.
    pub(crate) fn certificate_id<'a>(&self, arn: &'a str) -> Result<&'a str, Refusal> {
        let id = arn.strip_prefix(self.certificate_arn("").as_str());
        id.filter(|id| is_certificate_id(id)).ok_or_else(|| {
            Refusal::invalid(format!("{arn:?} is not the ARN of a certificate of this account and region"))
        })
    }
}

/// Returns `true` for 64 lower-case hexadecimal digits.
pub(crate) fn is_certificate_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
