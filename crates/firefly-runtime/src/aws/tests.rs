use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::*;

/// SHA-256 of the certificates, in DER. Source: amazontrust.com/repository, "Root CAs".
const FINGERPRINTS: [&str; 5] = [
    // Amazon Root CA 1 to 4.
    "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
    "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
    "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
    "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
    // Starfield Services Root Certificate Authority - G2.
    "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
];

const COMPLETE: [(&str, &str); 3] =
    [("AWS_REGION", "eu-central-1"), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];

fn aws(variables: &[(&str, &str)]) -> Result<Aws, ConfigError> {
    let variables = COMPLETE.iter().chain(variables);
    Aws::new(&Environment::new(variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))))
}

#[test]
fn the_root_certificates_are_those_that_amazon_publishes() {
    let text: String =
        AMAZON_ROOTS.lines().filter(|line| !line.starts_with('#')).map(|line| line.to_owned() + "\n").collect();
    let certificates = text.split("-----BEGIN CERTIFICATE-----\n").skip(1);
    let fingerprints: Vec<_> = certificates
        .map(|rest| {
            let base64 = rest.split_once("-----END CERTIFICATE-----").unwrap().0.replace('\n', "");
            let hash = Sha256::digest(STANDARD.decode(base64).unwrap());
            hash.iter().fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").unwrap();
                text
            })
        })
        .collect();
    assert_eq!(fingerprints, FINGERPRINTS);
}

#[test]
fn amazons_root_certificates_are_trusted_and_no_others() {
    let amazons = TrustStore::empty().with_pem_certificate(include_str!("../../roots/amazon.pem"));
    assert_eq!(format!("{:?}", trust_store(false)), format!("{amazons:?}"));
}

/// Which certificates are trusted, by the connector that is made.
#[test]
fn the_machines_root_certificates_are_trusted_at_other_endpoints_or_when_asked_for() {
    let trusts_machine = |variables: &[(&str, &str)]| {
        let aws = aws(variables).unwrap();
        aws.service("AWS_ENDPOINT_URL_S3").unwrap();
        (aws.machine.get().is_some(), aws.amazon.get().is_some())
    };
    let trust = |value| ("FIREFLY_TRUST_MACHINE_ROOTS", value);
    let elsewhere = ("AWS_ENDPOINT_URL_S3", "https://127.0.0.1:1");
    for (variables, machine) in [
        (&[][..], false),
        (&[trust("")], false),
        (&[trust("true")], true),
        (&[elsewhere], true),
        (&[("AWS_ENDPOINT_URL", "https://127.0.0.1:1")], true),
        (&[elsewhere, trust("false")], false),
        (&[elsewhere, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")], false),
    ] {
        assert_eq!(trusts_machine(variables), (machine, !machine), "{variables:?}");
    }
}

#[test]
fn a_switch_that_is_neither_true_nor_false_is_refused() {
    for name in [
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_USE_FIPS_ENDPOINT",
        "FIREFLY_TRUST_MACHINE_ROOTS",
    ] {
        for value in ["1", "yes", " true"] {
            let error = aws(&[(name, value)]).err().unwrap().to_string();
            assert_eq!(error, format!("environment variable {name} is not true or false"));
        }
    }
}
