//! A guesser is counted by the address that the gateway sees, not by one that a header names.

use firefly_testkit::{TestCloud, new_device};

#[tokio::test(flavor = "multi_thread")]
async fn another_forwarded_address_with_each_guess_opens_no_new_account() {
    let cloud = TestCloud::start().await;
    let mut statuses = Vec::new();
    for number in 0..300 {
        let forwarded = format!("198.51.{}.{}", number / 100, number % 100);
        let body = firefly_device::registration_body(&new_device());
        let headers = [("X-Registration-Key", "WRONG0"), ("X-Forwarded-For", forwarded.as_str())];
        statuses.push(cloud.request("POST", "/devices/register", &headers, Some(&body)).await.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
}
