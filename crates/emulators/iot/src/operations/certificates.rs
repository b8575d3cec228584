//! Certificates that are there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::input::Input;
use crate::page::Page;
use crate::record::{Certificate, CertificateStatus, Change};
use crate::refusal::{Kind, Refusal};
use crate::view::{Done, View, timestamp};

use super::issuing::Issued;

/// Puts a certificate into the registry that was made before.
pub(crate) fn enter(view: &View<'_>, issued: Issued) -> Result<Done, Refusal> {
    let Issued { id, pem, status, mode, not_before, not_after, mut answer } = issued;
    let arn = view.place.certificate_arn(&id);
    if view.state.certificate(&id).is_some() {
        return Err(Refusal::exists("The certificate is already registered", &id, arn));
    }
    answer.extend([("certificateArn".to_owned(), json!(arn)), ("certificateId".to_owned(), json!(id))]);
    let certificate = Certificate {
        id,
        number: view.state.next_number(),
        pem,
        status,
        mode,
        created: view.now,
        modified: view.now,
        not_before,
        not_after,
        generation_id: uuid::Uuid::new_v4().to_string(),
        customer_version: 1,
        policies: BTreeSet::new(),
        things: BTreeMap::new(),
    };
    Ok(Done::changed(Change::Certificate(Box::new(certificate)), Value::Object(answer)))
}

pub(crate) fn update(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let id = input.certificate_id()?;
    input.no_body()?;
    let status = match input.query("newStatus") {
        Some("ACTIVE") => CertificateStatus::Active,
        Some("INACTIVE") => CertificateStatus::Inactive,
        Some("REVOKED") => CertificateStatus::Revoked,
        Some(internal @ ("PENDING_TRANSFER" | "PENDING_ACTIVATION")) => {
            let message = format!("The status {internal} is used internally and cannot be set");
            return Err(Refusal::new(Kind::CertificateState, message));
        }
        Some(other) => return Err(Refusal::invalid(format!("{other:?} is not a newStatus"))),
        None => return Err(Refusal::invalid("newStatus is missing")),
    };
    let certificate = view.certificate(id)?;
    if certificate.status == status {
        return Ok(Done::read(Value::Null));
    }
    if certificate.status == CertificateStatus::Revoked {
        return Err(Refusal::new(Kind::CertificateState, "A revoked certificate stays revoked"));
    }
    let customer_version = certificate.customer_version + 1;
    let certificate = Certificate { status, modified: view.now, customer_version, ..certificate.clone() };
    Ok(Done::changed(Change::Certificate(Box::new(certificate)), Value::Null))
}

pub(crate) fn delete(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let (id, force) = (input.certificate_id()?, input.flag("forceDelete")?);
    let certificate = view.certificate(id)?;
    if certificate.status == CertificateStatus::Active {
        let message = format!("Certificate must be deactivated (not ACTIVE) before deletion. certificateId: {id}");
        return Err(Refusal::new(Kind::CertificateState, message));
    }
    let conflict = |what: &str| {
        let arn = view.place.certificate_arn(id);
        Err(Refusal::new(Kind::DeleteConflict, format!("{what} must be detached before deletion (arn: {arn})")))
    };
    if !view.things_of(certificate).is_empty() {
        return conflict("Things");
    }
    if !force && !view.policies_of(certificate).is_empty() {
        return conflict("Certificate policies");
    }
    Ok(Done::changed(Change::CertificateDeleted(id.to_owned()), Value::Null))
}

pub(crate) fn describe(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let certificate = view.certificate(input.certificate_id()?)?;
    Ok(Done::read(json!({ "certificateDescription": {
        "certificateArn": view.place.certificate_arn(&certificate.id),
        "certificateId": certificate.id,
        "status": certificate.status,
        "certificatePem": certificate.pem,
        "ownedBy": view.place.account,
        "creationDate": timestamp(certificate.created),
        "lastModifiedDate": timestamp(certificate.modified),
        "customerVersion": certificate.customer_version,
        "transferData": {},
        "generationId": certificate.generation_id,
        "validity": { "notBefore": certificate.not_before, "notAfter": certificate.not_after },
        "certificateMode": certificate.mode,
    } })))
}

pub(crate) fn list(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let (page, ascending) = (Page::of_policies(input)?, input.flag("isAscendingOrder")?);
    let after = page.after_number()?;
    let item = |certificate: &Certificate| {
        let item = json!({
            "certificateArn": view.place.certificate_arn(&certificate.id),
            "certificateId": certificate.id,
            "status": certificate.status,
            "certificateMode": certificate.mode,
            "creationDate": timestamp(certificate.created),
        });
        (certificate.number.to_string(), item)
    };
    let begins = |certificate: &&Certificate| match after {
        None => true,
        Some(after) if ascending => certificate.number > after,
        Some(after) => certificate.number < after,
    };
    let all = view.state.certificates();
    Ok(Done::read(match ascending {
        true => page.cut("certificates", all.filter(begins).map(item)),
        false => page.cut("certificates", all.rev().filter(begins).map(item)),
    }))
}
