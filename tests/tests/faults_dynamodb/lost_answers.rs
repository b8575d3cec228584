//! One call fails, perhaps after its work was done, and the SDK's retry does not.

use firefly_testkit::answer::assert_failure;
use firefly_testkit::faults::{Call, Fault, Faults};
use firefly_testkit::{TestCloud, new_device};

use crate::keys_of;

#[tokio::test(flavor = "multi_thread")]
async fn one_failure_of_any_call_is_not_noticed() {
    let engines = TestCloud::start().await;
    let failures = [
        Fault::json_error(500, "InternalServerError"),
        Fault::json_error(400, "ThrottlingException"),
        Fault::DropCall,
        Fault::DropAnswer,
    ];
    let calls = [
        Call::GetLiveKeys,
        Call::PutKey,
        Call::GetKey,
        Call::GetWrongKeys,
        Call::CountWrongKey,
        Call::CountAllWrongKeys,
        Call::UpdateLiveKeys,
        Call::WriteAndSpend,
        Call::GetDevice,
        Call::GetDeviceWithRecord,
        Call::WriteReplayRecord,
        Call::UpdateDevice,
    ];
    let run = async |failure: Fault| {
        let (cloud, faults) = Faults::over(&engines).await;
        for call in calls {
            faults.next(call, [failure.clone()]);
        }
        let key = cloud.as_user("installer", &[], "POST", "/registration-keys").await.member("key").unwrap();
        let device = new_device();
        assert_eq!(cloud.register(&device, &key).await.status, 204, "{failure:?}");
        assert!(engines.key_item(&key).await.is_none(), "{failure:?}");
        let envelope = device.seal(b"configuration", &[2; 12]).unwrap();
        assert_eq!(cloud.upload(&device, &envelope).await.status, 200, "{failure:?}");
        assert_eq!(&cloud.restore(&device).await.body[..], &envelope[..], "{failure:?}");
        let deleted = cloud.signed(&cloud.sign(&device), "DELETE", "backup", &[], None).await;
        assert_eq!(deleted.status, 200, "{failure:?}");
        assert!(calls.iter().all(|call| faults.count(*call) > 1), "{failure:?}");
    };
    futures::future::join_all(failures.map(run)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_recorded_nonce_is_recognised() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let device = engines.registered_device().await;
    // No record yet, a record with room, and a record whose oldest nonce is to be dropped.
    for (case, wait, nonces) in [("absent", 0, 1), ("insert", 0, 2), ("turnover", 61, 1)] {
        engines.advance(wait);
        let (signed, before) = (cloud.sign(&device), faults.count(Call::WriteReplayRecord));
        faults.next(Call::WriteReplayRecord, [Fault::DropAnswer]);
        let status = async || cloud.signed(&signed, "GET", "registration", &[], None).await;
        assert_eq!(status().await.status, 200, "{case}");
        assert_eq!(faults.count(Call::WriteReplayRecord) - before, 2, "{case}");
        let record = engines.replay_record(device.uuid()).await.unwrap();
        assert_eq!(record["nonces"].as_m().unwrap().len(), nonces, "{case}");
        assert_failure(case, &status().await, 401, "replayed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_comes_while_the_first_repeats_its_lost_write_is_refused() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let device = engines.registered_device().await;
    let signed = cloud.sign(&device);
    // The second try is held until the copy has been judged.
    faults.next(Call::WriteReplayRecord, [Fault::DropAnswer, Fault::Hold(Box::new(Fault::Pass))]);
    let copy = async {
        faults.arrived(Call::WriteReplayRecord, 2).await;
        let answer = engines.signed(&signed, "GET", "registration", &[], None).await;
        faults.release();
        answer
    };
    let (first, copy) = tokio::join!(cloud.signed(&signed, "GET", "registration", &[], None), copy);
    assert_eq!(first.status, 200);
    assert_failure("the copy", &copy, 401, "replayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_registration_is_recognised() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let (device, key) = (new_device(), engines.mint().await);
    faults.next(Call::WriteAndSpend, [Fault::DropAnswer]);
    assert_eq!(cloud.register(&device, key.as_str()).await.status, 204);
    // The engine knows the repeated transaction by its ClientRequestToken: the function read no item again.
    assert_eq!((faults.count(Call::WriteAndSpend), faults.count(Call::GetDevice)), (2, 1));
    assert!(engines.key_item(key.as_str()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_registration_is_found_in_the_table_once_its_token_is_forgotten() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let (device, key) = (new_device(), engines.mint().await);
    // DynamoDB's answer to the repeated transaction when it does not recognise it.
    let unrecognised = Fault::cancelled(&["ConditionalCheckFailed", "ConditionalCheckFailed"]);
    faults.next(Call::WriteAndSpend, [Fault::DropAnswer, unrecognised]);
    assert_eq!(cloud.register(&device, key.as_str()).await.status, 204);
    assert_eq!((faults.count(Call::WriteAndSpend), faults.count(Call::GetDevice)), (2, 2));
    assert!(engines.key_item(key.as_str()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_new_key_is_recognised() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    faults.next(Call::PutKey, [Fault::DropAnswer]);
    let key = cloud.mint().await;
    // The engine knows the repeated transaction by its ClientRequestToken.
    assert_eq!(faults.count(Call::PutKey), 2);
    assert_eq!(keys_of(&engines, "installer").await, [key.as_str()]);
    assert_eq!(cloud.register(&new_device(), key.as_str()).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_new_key_draws_another_once_its_token_is_forgotten() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let unrecognised = Fault::cancelled(&["ConditionalCheckFailed", "None"]);
    faults.next(Call::PutKey, [Fault::DropAnswer, unrecognised]);
    let key = cloud.mint().await;
    // The write, its repetition, which finds the key taken, and that of the key answered.
    assert_eq!(faults.count(Call::PutKey), 3);
    let keys = keys_of(&engines, "installer").await;
    assert!(keys.len() == 2 && keys.contains(&key.as_str().to_owned()));
    assert_eq!(cloud.register(&new_device(), key.as_str()).await.status, 204);
}
