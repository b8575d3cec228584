use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;

const BUCKET: &str = "bucket";

fn open(dir: &TempDir) -> ObjectStore {
    let store = ObjectStore::open(dir.path()).unwrap();
    store.create_bucket(BUCKET).unwrap();
    store
}

fn object(body: &str) -> NewObject {
    NewObject {
        body: Bytes::copy_from_slice(body.as_bytes()),
        content_type: Some("text/plain".to_owned()),
        metadata: BTreeMap::from([("etag".to_owned(), "ä".to_owned())]),
    }
}

fn file_of(store: &ObjectStore, key: &str, version: &Version) -> PathBuf {
    store.key_directory(BUCKET, key).unwrap().join(&version.id)
}

fn names_of_buckets(store: &ObjectStore) -> Vec<String> {
    store.buckets().unwrap().into_iter().map(|(name, _)| name).collect()
}

#[test]
fn a_reopened_store_has_every_version() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let first = store.put(BUCKET, "key", object("first"), &Precondition::None).unwrap();
    let second = store.put(BUCKET, "key", object("second"), &Precondition::None).unwrap();
    drop(store);

    let store = open(&dir);
    let found = store.find(BUCKET, "key").unwrap();
    assert_eq!(found.version, second);
    assert_eq!(found.read().unwrap(), b"second");
    assert_eq!(store.find_version(BUCKET, "key", &first.id).unwrap().version, first);
    assert_eq!(store.list_versions(BUCKET, "").unwrap(), [second, first]);
    assert_eq!(names_of_buckets(&store), [BUCKET]);
}

#[test]
fn the_rest_of_an_interrupted_write_is_removed() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let version = store.put(BUCKET, "key", object("whole"), &Precondition::None).unwrap();
    let half = fs::read(file_of(&store, "key", &version)).unwrap();
    fs::write(dir.path().join("tmp/interrupted"), &half[..half.len() / 2]).unwrap();
    drop(store);

    let store = open(&dir);
    assert_eq!(names_in(&dir.path().join("tmp")).unwrap(), [""; 0]);
    assert_eq!(store.find(BUCKET, "key").unwrap().read().unwrap(), b"whole");
}

#[test]
fn a_store_is_open_once() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let error = ObjectStore::open(dir.path()).unwrap_err();
    assert_eq!(error.to_string(), format!("{} is in use by another process", dir.path().display()));
    drop(store);
    open(&dir);
}

#[test]
fn a_directory_that_cannot_be_one_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = ObjectStore::open(&file).unwrap_err().to_string();
    assert!(error.starts_with(file.to_str().unwrap()), "{error}");
}

#[test]
fn every_damage_to_a_file_is_noticed() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let version = store.put(BUCKET, "key", object("the body"), &Precondition::None).unwrap();
    let file = file_of(&store, "key", &version);
    let whole = fs::read(&file).unwrap();

    let truncated = (0..whole.len()).map(|length| whole[..length].to_vec());
    let extended = [whole.as_slice(), b"x"].concat();
    let flipped = (0..whole.len()).map(|index| {
        let mut bytes = whole.clone();
        bytes[index] ^= 1;
        bytes
    });
    for bytes in truncated.chain(flipped).chain([extended]) {
        fs::write(&file, &bytes).unwrap();
        let error = store.find(BUCKET, "key").and_then(Found::read).unwrap_err();
        assert!(matches!(&error, ObjectStoreError::Broken { path, .. } if *path == file), "{error}");
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(store.find(BUCKET, "key").unwrap().read().unwrap(), b"the body");
}

#[test]
fn a_version_that_was_found_is_read_even_if_it_is_removed_meanwhile() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let version = store.put(BUCKET, "key", object("found"), &Precondition::None).unwrap();
    let found = store.find(BUCKET, "key").unwrap();
    store.delete_version(BUCKET, "key", &version.id).unwrap();
    assert_eq!(found.read().unwrap(), b"found");
    assert!(matches!(store.find(BUCKET, "key"), Err(ObjectStoreError::NoSuchKey { delete_marker: None })));
}

#[test]
fn an_id_is_known_while_its_version_is_there_and_later_by_its_last_digits() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let version = store.put(BUCKET, "key", object("x"), &Precondition::None).unwrap();
    let other = format!("{:032x}", 7);
    fs::copy(
        file_of(&store, "key", &version),
        file_of(&store, "key", &Version { id: other.clone(), ..version.clone() }),
    )
    .unwrap();
    for id in [&version.id, &other] {
        store.check_version_id(BUCKET, "key", id).unwrap();
        store.delete_version(BUCKET, "key", id).unwrap();
    }
    store.check_version_id(BUCKET, "key", &version.id).unwrap();
    for (key, id) in [("key", &other), ("another", &version.id)] {
        assert!(matches!(store.check_version_id(BUCKET, key, id), Err(ObjectStoreError::InvalidVersionId)), "{key}");
    }
}

#[test]
fn readers_never_miss_an_object_that_is_overwritten() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.put(BUCKET, "key", object("0"), &Precondition::None).unwrap();
    let start = Barrier::new(3);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..200 {
                    store.find(BUCKET, "key").unwrap().read().unwrap();
                }
            });
        }
        start.wait();
        for number in 0..100 {
            store.put(BUCKET, "key", object(&number.to_string()), &Precondition::None).unwrap();
        }
    });
    assert_eq!(store.find(BUCKET, "key").unwrap().read().unwrap(), b"99");
}

/// A store whose clock shows so many days after the epoch.
fn open_on_day(dir: &TempDir, day: f64) -> ObjectStore {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs_f64(day * 86_400.0);
    let store = ObjectStore::open(dir.path()).unwrap().with_clock(move || now);
    let rules = [(7, 10), (90, 0)]
        .map(|(noncurrent_days, newer_noncurrent_versions)| Expiration { noncurrent_days, newer_noncurrent_versions });
    let store = store.with_expirations(rules.to_vec()).unwrap();
    store.create_bucket(BUCKET).unwrap();
    store
}

fn bodies(store: &ObjectStore) -> Vec<String> {
    let versions = store.list_versions(BUCKET, "").unwrap();
    let body = |version: &Version| store.find_version(BUCKET, "key", &version.id).unwrap().read().unwrap();
    versions.iter().map(|version| String::from_utf8(body(version)).unwrap()).collect()
}

/// Versions 0 to 14, stored on day 1, 14 being current.
fn fifteen_versions() -> TempDir {
    let dir = TempDir::new().unwrap();
    let store = open_on_day(&dir, 1.0);
    for number in 0..15 {
        store.put(BUCKET, "key", object(&number.to_string()), &Precondition::None).unwrap();
    }
    assert_eq!(bodies(&store).len(), 15, "all are there on the first day");
    dir
}

#[test]
fn beyond_the_ten_newest_an_old_version_is_kept_for_seven_days() {
    let dir = fifteen_versions();
    let newest = |count: usize| (0..15).rev().take(count).map(|number| number.to_string()).collect::<Vec<_>>();
    for (day, kept) in [(7.9, 15), (8.0, 11), (90.9, 11), (91.0, 1), (1_000.0, 1)] {
        assert_eq!(bodies(&open_on_day(&dir, day)), newest(kept), "on day {day}");
    }
}

#[test]
fn a_new_version_removes_those_of_its_key_that_have_expired() {
    for (day, kept) in [(7.9, 16), (8.0, 11), (91.0, 2)] {
        let dir = fifteen_versions();
        let store = open_on_day(&dir, 1.0);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs_f64(day * 86_400.0);
        let store = store.with_clock(move || now);
        store.put(BUCKET, "key", object("new"), &Precondition::None).unwrap();
        // The current one of before is old from now on.
        assert_eq!(bodies(&store).len(), kept, "on day {day}");
    }
}

#[test]
fn a_delete_marker_goes_with_the_last_version_behind_it() {
    let dir = fifteen_versions();
    open_on_day(&dir, 2.0).delete(BUCKET, "key").unwrap();
    for (day, kept) in [(7.9, 16), (8.0, 11), (91.9, 2), (92.0, 0)] {
        let versions = open_on_day(&dir, day).list_versions(BUCKET, "").unwrap();
        assert_eq!(versions.len(), kept, "on day {day}");
    }
}

#[test]
fn a_store_without_rules_and_one_whose_clock_was_set_back_remove_nothing() {
    let dir = fifteen_versions();
    assert_eq!(bodies(&open_on_day(&dir, 0.0)).len(), 15);
    assert_eq!(bodies(&open(&dir)).len(), 15);
}

#[test]
fn bucket_names_are_those_of_s3() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    for name in ["", "a", "..", "../x", "Upper", "a/b", "a\0b", &"a".repeat(64)] {
        assert!(matches!(store.create_bucket(name), Err(ObjectStoreError::InvalidBucketName(_))), "{name:?}");
        assert!(matches!(store.find(name, "key"), Err(ObjectStoreError::NoSuchBucket(_))), "{name:?}");
    }
    assert_eq!(names_of_buckets(&store), [BUCKET]);
}
