//! Certificates.

use aws_sdk_iot::types::{CertificateMode, CertificateStatus};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, PublicKeyData as _};
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rsa::{RsaPrivateKey, RsaPublicKey};
use x509_parser::pem::parse_x509_pem;

use crate::server::{START, Server, assert_refused, csr, csr_of, start};
use crate::truncation::{assert_no_other_length, text};

/// The public key of a certificate, a SubjectPublicKeyInfo in DER.
fn key_of(pem: &str) -> Vec<u8> {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).unwrap();
    pem.parse_x509().unwrap().public_key().raw.to_owned()
}

#[tokio::test]
async fn a_csr_becomes_a_certificate_of_its_key_each_time_anew() {
    let server = start().await;
    let key = KeyPair::generate().unwrap();
    let create = || server.client.create_certificate_from_csr().certificate_signing_request(csr_of(&key));
    let (first, second) = (create().send().await.unwrap(), create().set_as_active(true).send().await.unwrap());
    assert_ne!(first.certificate_id(), second.certificate_id());
    for (made, status) in [(first, CertificateStatus::Inactive), (second, CertificateStatus::Active)] {
        let (id, pem) = (made.certificate_id.unwrap(), made.certificate_pem.unwrap());
        assert_eq!(made.certificate_arn.unwrap(), format!("arn:aws:iot:eu-central-1:123456789012:cert/{id}"));
        assert_eq!(key_of(&pem), key.subject_public_key_info());
        let found = server.client.describe_certificate().certificate_id(&id).send().await.unwrap();
        let found = found.certificate_description.unwrap();
        assert_eq!((found.status(), found.certificate_pem()), (Some(&status), Some(pem.as_str())));
        assert_eq!(found.certificate_mode(), Some(&CertificateMode::Default));
        assert_eq!(found.owned_by(), Some("123456789012"));
        assert_eq!(found.creation_date().unwrap().secs(), i64::try_from(START).unwrap());
        let validity = found.validity().unwrap();
        assert_eq!(validity.not_before().unwrap().secs(), i64::try_from(START).unwrap());
        // 2049-12-31T23:59:59Z.
        assert_eq!(validity.not_after().unwrap().secs(), 2_524_607_999);
    }
}

#[tokio::test]
async fn a_key_is_made_for_a_certificate() {
    let server = start().await;
    let made = server.client.create_keys_and_certificate().set_as_active(true).send().await.unwrap();
    let pair = made.key_pair().unwrap();
    let private_key = RsaPrivateKey::from_pkcs1_pem(pair.private_key().unwrap()).unwrap();
    let public_key = RsaPublicKey::from(&private_key);
    assert_eq!(public_key.to_public_key_pem(LineEnding::LF).unwrap(), pair.public_key().unwrap());
    assert_eq!(key_of(made.certificate_pem().unwrap()), public_key.to_public_key_der().unwrap().into_vec());
    let status = server.registry.certificate_status(made.certificate_id().unwrap());
    assert_eq!(status, Some(emulator_iot::CertificateStatus::Active));
}

/// White space may follow a CSR.
#[test]
fn a_csr_has_no_other_length_and_a_refused_one_creates_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(start());
    let pem = csr();
    let create = |pem: &str| {
        runtime
            .block_on(server.client.create_certificate_from_csr().certificate_signing_request(pem).send())
            .map_err(|error| assert_refused::<(), _>(Err(error), 400, "InvalidRequestException"))
    };
    let padding = b"\t\n\x0b\x0c\r ";
    assert_no_other_length(pem.trim().as_bytes(), padding, text(create));
    let list = runtime.block_on(server.client.list_certificates().page_size(250).send()).unwrap();
    assert_eq!(list.certificates().len(), 1 + padding.len());
}

#[tokio::test]
async fn a_bad_csr_is_400() {
    let server = start().await;
    let create = async |pem: String| {
        let answer = server.client.create_certificate_from_csr().certificate_signing_request(pem).send().await;
        assert_refused(answer, 400, "InvalidRequestException");
    };
    let good = csr();
    // The last character of the last whole line is in the signature.
    let mut lines: Vec<_> = good.lines().map(str::to_owned).collect();
    let place = lines.len() - 3;
    let last = lines[place].pop().unwrap();
    lines[place].push(if last == 'A' { 'B' } else { 'A' });
    create(lines.join("\n")).await;
    create(format!("{good}{good}")).await;
    create(format!("# a comment\n{good}")).await;
    create(good.replace("CERTIFICATE REQUEST", "CERTIFICATE")).await;
    create(csr_of(&KeyPair::generate_for(&PKCS_ED25519).unwrap())).await;
    create("x".repeat(4_097)).await;
    // Of `openssl req -new`.
    create(include_str!("data/rsa-1024.csr").to_owned()).await;
    create(include_str!("data/p-521.csr").to_owned()).await;
    let rsa = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2_048).unwrap().to_pkcs8_pem(LineEnding::LF).unwrap();
    let pem = csr_of(&KeyPair::from_pem(&rsa).unwrap());
    assert!(server.client.list_certificates().send().await.unwrap().certificates().is_empty());
    server.client.create_certificate_from_csr().certificate_signing_request(pem).send().await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_anybody_is_registered_once() {
    let server = start().await;
    let key = KeyPair::generate().unwrap();
    let pem = CertificateParams::default().self_signed(&key).unwrap().pem();
    let register = || server.client.register_certificate_without_ca();
    for status in [CertificateStatus::PendingActivation, CertificateStatus::PendingTransfer] {
        let answer = register().certificate_pem(&pem).status(status).send().await;
        assert_refused(answer, 406, "CertificateStateException");
    }
    let revoked = register().certificate_pem(&pem).status(CertificateStatus::Revoked).send().await;
    assert_refused(revoked, 400, "InvalidRequestException");
    let made = register().certificate_pem(&pem).status(CertificateStatus::Active).send().await.unwrap();
    let found = server.client.describe_certificate().certificate_id(made.certificate_id().unwrap()).send().await;
    let found = found.unwrap().certificate_description.unwrap();
    assert_eq!(found.certificate_mode(), Some(&CertificateMode::SniOnly));
    assert_eq!((found.status(), found.certificate_pem()), (Some(&CertificateStatus::Active), Some(pem.as_str())));
    let again = register().certificate_pem(&pem).send().await;
    let error = again.unwrap_err().into_service_error();
    assert!(error.is_resource_already_exists_exception(), "{error:?}");
    assert!(format!("{error:?}").contains(made.certificate_arn().unwrap()), "{error:?}");
    for bad in ["nonsense", &pem[..pem.len() / 2], &pem.replace("CERTIFICATE", "X509"), &csr()] {
        assert_refused(register().certificate_pem(bad).send().await, 400, "CertificateValidationException");
    }
}

#[tokio::test]
async fn a_status_is_changed_and_revoked_is_final() {
    let server = start().await;
    let certificate = server.certificate(false).await;
    let update = |status| {
        let call = server.client.update_certificate().certificate_id(&certificate.id);
        call.new_status(status).send()
    };
    let status = || server.registry.certificate_status(&certificate.id).unwrap();
    for _ in 0..2 {
        update(CertificateStatus::Active).await.unwrap();
        assert_eq!(status(), emulator_iot::CertificateStatus::Active);
    }
    for internal in [CertificateStatus::PendingTransfer, CertificateStatus::PendingActivation] {
        assert_refused(update(internal).await, 406, "CertificateStateException");
    }
    assert_refused(update(CertificateStatus::from("REGISTER_INACTIVE")).await, 400, "InvalidRequestException");
    assert_refused(update(CertificateStatus::from("active")).await, 400, "InvalidRequestException");
    update(CertificateStatus::Inactive).await.unwrap();
    assert_eq!(status(), emulator_iot::CertificateStatus::Inactive);
    for _ in 0..2 {
        update(CertificateStatus::Revoked).await.unwrap();
    }
    assert_refused(update(CertificateStatus::Active).await, 406, "CertificateStateException");
    assert_refused(update(CertificateStatus::Inactive).await, 406, "CertificateStateException");
    assert_eq!(status(), emulator_iot::CertificateStatus::Revoked);
    server.client.delete_certificate().certificate_id(&certificate.id).send().await.unwrap();
    assert_refused(update(CertificateStatus::Inactive).await, 404, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_certificate_is_deleted_when_it_is_inactive_and_detached() {
    let server = start().await;
    let certificate = server.certificate(true).await;
    server.thing("thing").await;
    server.policy("policy", crate::server::DOCUMENT).await;
    server.attach_thing("thing", &certificate).await;
    server.attach_policy("policy", &certificate).await;
    let delete = |force| {
        let call = server.client.delete_certificate().certificate_id(&certificate.id);
        call.force_delete(force).send()
    };
    assert_refused(delete(true).await, 406, "CertificateStateException");
    server.set_status(&certificate, CertificateStatus::Inactive).await;
    assert_refused(delete(true).await, 409, "DeleteConflictException");
    let call = server.client.detach_thing_principal().thing_name("thing").principal(&certificate.arn);
    call.send().await.unwrap();
    assert_refused(delete(false).await, 409, "DeleteConflictException");
    delete(true).await.unwrap();
    assert_refused(delete(false).await, 404, "ResourceNotFoundException");
    let describe = server.client.describe_certificate().certificate_id(&certificate.id).send().await;
    assert_refused(describe, 404, "ResourceNotFoundException");
    server.client.delete_policy().policy_name("policy").send().await.unwrap();
    for id in ["nonsense", &"a".repeat(63), &"A".repeat(64)] {
        let describe = server.client.describe_certificate().certificate_id(id).send().await;
        assert_refused(describe, 400, "InvalidRequestException");
    }
}

/// All ids, in pages of 4. `after_page` runs after each.
async fn listed(server: &Server, ascending: bool, after_page: impl AsyncFn(&[String])) -> Vec<String> {
    let (mut ids, mut marker) = (Vec::new(), None);
    loop {
        let call = server.client.list_certificates().page_size(4).ascending_order(ascending);
        let page = call.set_marker(marker).send().await.unwrap();
        let found: Vec<_> = page.certificates().iter().map(|it| it.certificate_id().unwrap().to_owned()).collect();
        after_page(&found).await;
        ids.extend(found);
        marker = page.next_marker;
        if marker.is_none() {
            return ids;
        }
    }
}

#[tokio::test]
async fn certificates_are_listed_newest_first_or_oldest_first() {
    let server = start().await;
    let mut made = Vec::new();
    for _ in 0..9 {
        made.push(server.certificate(false).await.id);
        server.clock.advance(std::time::Duration::from_secs(1));
    }
    let nothing = async |_: &[String]| {};
    assert_eq!(listed(&server, true, nothing).await, made);
    let newest_first: Vec<_> = made.iter().rev().cloned().collect();
    assert_eq!(listed(&server, false, nothing).await, newest_first);
    let page = server.client.list_certificates().send().await.unwrap();
    assert_eq!((page.certificates().len(), page.next_marker()), (9, None));
    assert_eq!(page.certificates()[0].certificate_id(), Some(newest_first[0].as_str()));
    assert!(page.certificates()[0].creation_date() > page.certificates()[1].creation_date());
    // What a marker stands for may go.
    let delete = async |ids: &[String]| {
        for id in ids {
            server.client.delete_certificate().certificate_id(id).send().await.unwrap();
        }
    };
    assert_eq!(listed(&server, false, delete).await, newest_first);
    for marker in ["nonsense", "bm9uc2Vuc2U="] {
        let answer = server.client.list_certificates().marker(marker).send().await;
        assert_refused(answer, 400, "InvalidRequestException");
    }
    assert_refused(server.client.list_certificates().page_size(251).send().await, 400, "InvalidRequestException");
}
