//! The identity file: its mode, and the errors for a file that exists, is open to others or is broken.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use firefly_core::signed_request::Nonce;
use firefly_core::time::UnixSeconds;
use firefly_device::Identity;
use firefly_device::identity_file::{IdentityFileError, load, save};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

fn identity(seed: u64) -> Identity {
    let product_hex = "0x00ab12CD".parse().unwrap();
    Identity::generate(product_hex, &mut StdRng::seed_from_u64(seed))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn write(path: &Path, mode: u32, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_saved_identity_is_loaded_with_all_its_keys() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("device.json");
    let made = identity(1);
    save(&made, &path).unwrap();
    let loaded = load(&path).unwrap();
    assert_eq!(loaded.uuid(), made.uuid());
    assert_eq!(loaded.product_hex(), made.product_hex());
    assert_eq!(loaded.public_key(), made.public_key());
    let (nonce, now) = (Nonce::new([7; 32]), UnixSeconds::new(1_750_000_000));
    assert_eq!(loaded.sign(&nonce, now).pairs(), made.sign(&nonce, now).pairs());
    let envelope = made.seal(b"configuration", &[1; 12]).unwrap();
    assert_eq!(loaded.open(&envelope).unwrap(), b"configuration");
}

#[test]
fn generated_identities_differ_and_have_version_4_uuids() {
    let (one, two) = (identity(1), identity(2));
    assert_ne!(one.uuid(), two.uuid());
    assert_ne!(one.public_key(), two.public_key());
    for identity in [one, two] {
        let uuid = identity.uuid().to_string();
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }
}

#[test]
fn a_saved_file_is_readable_by_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("device.json");
    save(&identity(1), &path).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn an_existing_file_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("device.json");
    save(&identity(1), &path).unwrap();
    let before = fs::read(&path).unwrap();
    let error = save(&identity(2), &path).unwrap_err();
    assert!(matches!(error, IdentityFileError::Exists { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);

    let dangling = directory.path().join("dangling");
    symlink("nowhere", &dangling).unwrap();
    let error = save(&identity(2), &dangling).unwrap_err();
    assert!(matches!(error, IdentityFileError::Exists { .. }), "{error}");

    let error = save(&identity(2), directory.path()).unwrap_err();
    assert!(matches!(error, IdentityFileError::Exists { .. }), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn a_directory_that_is_not_there_is_a_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("absent/device.json");
    let error = save(&identity(1), &path).unwrap_err();
    assert!(matches!(error, IdentityFileError::Write { .. }), "{error}");
    let error = load(&path).unwrap_err();
    assert!(matches!(error, IdentityFileError::Read { .. }), "{error}");
}

#[test]
fn a_file_open_to_others_is_refused_with_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it's mine.json");
    save(&identity(1), &path).unwrap();
    for open in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666] {
        fs::set_permissions(&path, Permissions::from_mode(open)).unwrap();
        let error = load(&path).unwrap_err();
        assert!(matches!(error, IdentityFileError::TooOpen { mode, .. } if mode == open));
        let shown = format!("{}/it'\\''s mine.json'", directory.path().display());
        assert!(error.to_string().contains("chmod 600 '"), "{error}");
        assert!(error.to_string().ends_with(&shown), "{error}");
    }
    for closed in [0o600, 0o400] {
        fs::set_permissions(&path, Permissions::from_mode(closed)).unwrap();
        load(&path).unwrap();
    }
}

#[test]
fn a_broken_file_is_refused_without_quoting_it() {
    let key = "5ec2e7".repeat(11)[..64].to_owned();
    let whole = |uuid: &str, product_hex: &str, key: &str| {
        format!(r#"{{"uuid":"{uuid}","product_hex":"{product_hex}","master_key_hex":"{key}"}}"#)
    };
    let uuid = "2d411e72-c806-3038-573b-bb16a4a19bcf";
    let good = whole(uuid, "0x0000F1F1", &key);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("device.json");
    write(&path, 0o600, &good);
    load(&path).unwrap();

    for broken in [
        String::new(),
        key.clone(),
        format!("\"{key}\""),
        good[..good.len() - 1].to_owned(),
        format!("{good}{good}"),
        good.replace("\"uuid\"", &format!("\"{key}\"")),
        good.replace("product_hex", "product"),
        good.replace('}', ",\"more\":1}"),
        good.replace(&format!("\"{key}\""), "6123456789"),
        whole("2d411e72c8063038573bbb16a4a19bcf", "0x0000F1F1", &key),
        whole(uuid, "0000F1F1", &key),
        whole(uuid, "0x0000F1F1", &key[1..]),
        whole(uuid, "0x0000F1F1", &format!("{key}0")),
        whole(uuid, "0x0000F1F1", &key.replace('e', "g")),
        whole(uuid, "0x0000F1F1", &key.replacen("ec", "é", 1)),
        whole(uuid, "0x0000F1F1", &key.replacen("5e", "+e", 1)),
        " ".repeat(5000) + &good,
    ] {
        write(&path, 0o600, &broken);
        let error = load(&path).unwrap_err();
        assert!(matches!(error, IdentityFileError::Broken { .. }), "{broken}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("5ec2e7") && !shown.contains("6123"), "{shown}");
    }
}

#[test]
fn debug_shows_no_key() {
    let identity = identity(1);
    assert_eq!(format!("{identity:?}"), format!("Identity {{ uuid: {:?}, .. }}", identity.uuid()));
}
