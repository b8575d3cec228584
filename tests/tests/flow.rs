//! The life of a device, from its key to the deletion of its backup.

use firefly_testkit::TestCloud;

#[tokio::test(flavor = "multi_thread")]
async fn a_device_registers_backs_up_restores_and_deletes() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let answer = cloud.signed(&cloud.sign(&device), "GET", "registration", &[], None).await;
    assert_eq!(answer.status, 200);
    let envelope = device.seal(b"{\"name\":\"Haus am See\"}", &[7; 12]).unwrap();
    assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
    let restored = cloud.restore(&device).await;
    assert_eq!((restored.status, &restored.body[..]), (200, &envelope[..]));
    assert_eq!(cloud.signed(&cloud.sign(&device), "DELETE", "backup", &[], None).await.status, 200);
    assert_eq!(cloud.restore(&device).await.status, 404);
    cloud.stop().await;
}
