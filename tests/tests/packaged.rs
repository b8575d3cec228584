//! Packaged functions on a Lambda Runtime API.
//!
//! `FIREFLY_BINARIES` names the folder that holds them, each as `NAME/bootstrap`, from the repository's root:
//! `target/lambda` after `cargo lambda build`. They run here, so they are of this machine's architecture or emulated.

use std::env;
use std::path::Path;

use firefly_local::template::FUNCTIONS;
use firefly_tests::runtime_api::RuntimeApi;
use firefly_tests::{TestCloud, new_device};

#[tokio::test(flavor = "multi_thread")]
async fn every_packaged_function_answers() {
    let Some(folder) = env::var_os("FIREFLY_BINARIES") else {
        println!("SKIPPED: FIREFLY_BINARIES names no folder of packaged functions");
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let envelope = device.seal(&[0xa5; 1_000], &[7; 12]).unwrap();
    let mut answered = 0;
    for function in FUNCTIONS.map(|source| source.name) {
        let binary = folder.join(function).join("bootstrap");
        if !binary.exists() {
            continue;
        }
        let packaged = RuntimeApi::start(binary.to_str().unwrap(), &cloud).await;
        let (event, status) = match function {
            "func-api-devices-backup-post" => (packaged.signed_event(&device).body(&envelope), 200),
            "func-api-devices-backup-get" => {
                let stored = cloud.upload(&device, &envelope).await;
                assert_eq!(stored.status, 200, "{:?}", stored.body);
                (packaged.signed_event(&device), 200)
            }
            "func-api-devices-backup-delete" | "func-api-devices-registration-get" => {
                (packaged.signed_event(&device), 200)
            }
            "func-api-devices-register-post" => {
                let key = cloud.mint().await;
                (packaged.event().registration(&new_device(), key.as_str()), 204)
            }
            "func-api-registration-keys-post" => (packaged.event(), 201),
            "func-api-devices-get" | "func-api-health-get" | "func-api-registration-keys-get" => {
                (packaged.event(), 200)
            }
            other => panic!("{other} has no event"),
        };
        let answer = packaged.invoke(&event).await.unwrap();
        println!("{function}: {}, {} bytes", answer.status, answer.body.len());
        assert_eq!(answer.status, status, "{function}: {:#?}", packaged.logs());
        answered += 1;
    }
    assert!(answered > 0, "{} holds no function", folder.display());
}
