//! The JSON bodies of the routes that give an identity and take it back.

use super::{
    name::{BalenaService, BalenaServiceError, BalenaUuid, BalenaUuidError, Scope},
    request::{CertificateRequest, CertificateRequestError},
};
use crate::json::{self, JsonError, Members};

/// The most bytes of a body: 16 KiB.
pub const MAX_LENGTH: usize = 16_384;

/// The most characters of an unknown member's name that an error repeats.
const MAX_SHOWN: usize = 64;

/// The body of `/provision`: the members `uuid` and `balena_service`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisionRequest {
    /// The device.
    pub uuid: BalenaUuid,
    /// The service whose variables are written; `None` if the member is absent.
    pub service: Option<BalenaService>,
}

impl ProvisionRequest {
    /// Parses one JSON object in UTF-8 that has no other members.
    ///
    /// # Errors
    ///
    /// [`BodyError`], in the order of its variants.
    pub fn parse(body: &[u8]) -> Result<Self, BodyError> {
        let [uuid, service] = texts(body, ["uuid", "balena_service"])?;
        let uuid = uuid.ok_or(BodyError::Missing { field: "uuid" })?;
        Ok(Self {
            uuid: uuid.parse().map_err(invalid::<BalenaUuidError>("uuid"))?,
            service: service
                .map(|text| text.parse().map_err(invalid::<BalenaServiceError>("balena_service")))
                .transpose()?,
        })
    }

    /// Returns the place of the device's variables.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.service.clone().map_or(Scope::Device, Scope::Service)
    }
}

impl CertificateRequest {
    /// Parses a controller's body: one JSON object in UTF-8 whose only member is `csr`, the request in PEM.
    ///
    /// # Errors
    ///
    /// [`BodyError`], in the order of its variants.
    pub fn parse_body(body: &[u8]) -> Result<Self, BodyError> {
        let [csr] = texts(body, ["csr"])?;
        let csr = csr.ok_or(BodyError::Missing { field: "csr" })?;
        Self::parse(&csr).map_err(invalid::<CertificateRequestError>("csr"))
    }
}

/// Returns the strings called `fields`, `None` for each that is absent.
fn texts<const N: usize>(body: &[u8], fields: [&'static str; N]) -> Result<[Option<String>; N], BodyError> {
    if body.len() > MAX_LENGTH {
        return Err(BodyError::TooLarge { length: body.len() });
    }
    let text = str::from_utf8(body).map_err(|_| BodyError::NotAnObject)?;
    let Members(members) = Members::of(text).ok_or(BodyError::NotAnObject)?;
    let mut found = [const { None }; N];
    for (name, value) in members {
        let known = json::string(name).ok().and_then(|name| fields.iter().position(|field| *field == name));
        let Some((slot, field)) = known.and_then(|at| Some((found.get_mut(at)?, *fields.get(at)?))) else {
            return Err(BodyError::Unknown { member: name.get().chars().take(MAX_SHOWN).collect() });
        };
        if slot.is_some() {
            return Err(BodyError::Invalid { field, reason: MemberError::SentTwice });
        }
        *slot = Some(json::string(value).map_err(invalid::<JsonError>(field))?);
    }
    Ok(found)
}

/// Makes a function that names the member whose error it is given.
fn invalid<E: Into<MemberError>>(field: &'static str) -> impl FnOnce(E) -> BodyError {
    move |error| BodyError::Invalid { field, reason: error.into() }
}

/// The reason why a body is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The body is longer than [`MAX_LENGTH`].
    #[error("the body of {length} bytes is larger than {MAX_LENGTH}")]
    TooLarge {
        /// The body's length in bytes.
        length: usize,
    },
    /// The body is not one JSON object in UTF-8.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// A member is not one of those that the body may have.
    #[error("member {member} is not known")]
    Unknown {
        /// The member's name as JSON writes it, in double quotes, at most its first 64 characters.
        member: String,
    },
    /// A required member is absent.
    #[error("member {field} is missing")]
    Missing {
        /// The member's name.
        field: &'static str,
    },
    /// A member does not have its form, or was sent more than once.
    #[error("member {field} is invalid: {reason}")]
    Invalid {
        /// The member's name.
        field: &'static str,
        /// The reason.
        reason: MemberError,
    },
}

/// The reason why a member of a body is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// The member was sent more than once.
    #[error("sent more than once")]
    SentTwice,
    /// The value is not a string of Unicode.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The string is not the UUID of a balena device.
    #[error(transparent)]
    Uuid(#[from] BalenaUuidError),
    /// The string is not the name of a service.
    #[error(transparent)]
    Service(#[from] BalenaServiceError),
    /// The string is not a certificate signing request.
    #[error(transparent)]
    Request(#[from] CertificateRequestError),
}
