//! Packaged functions on a Lambda Runtime API.
//!
//! `FIREFLY_BINARIES` names the folder that holds them, each as `NAME/bootstrap`, from the repository's root:
//! `target/lambda` after `cargo lambda build`. They run here, so they are of this machine's architecture or emulated.

use std::env;
use std::path::Path;

use firefly_functions::Caller;
use firefly_testkit::TestCloud;
use firefly_testkit::runtime_api::RuntimeApi;

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
    for function in &firefly_functions::ALL {
        let name = function.name;
        let binary = folder.join(name).join("bootstrap");
        if !binary.exists() {
            continue;
        }
        // A backup to be read or deleted.
        assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
        let packaged = RuntimeApi::start(binary.to_str().unwrap(), &cloud).await;
        let event = match function.caller {
            Caller::Device => packaged.signed_event(&device),
            _ => packaged.genuine_event(&cloud).await,
        };
        let answer = packaged.invoke(&event).await.unwrap();
        println!("{name}: {}, {} bytes", answer.status, answer.body.len());
        assert!((200..300).contains(&answer.status), "{name}: {}, {:#?}", answer.status, packaged.logs());
        answered += 1;
    }
    assert!(answered > 0, "{} holds no function", folder.display());
}
