//! The faults of the kit stand in front of the API.

use std::time::Duration;

use emulator_kit::faults::{Fault, FaultResponse, Faults};
use reqwest::Method;
use serde_json::json;

use crate::server::{Server, UUID, answer, client, send};

#[tokio::test]
async fn a_call_meets_a_status_a_rate_limit_a_hang_and_a_lost_answer() {
    let server = Server::new().await;
    let faults = Faults::new(|request| Some(request.method().clone()));
    let url = faults.in_front_of(&server.url).await.unwrap();
    let body = json!({ "device": server.device.id, "name": "A", "value": "x" }).to_string();
    let path = "/v7/device_environment_variable";
    let key = server.device.api_key.clone();
    let post = || client().post(format!("{url}{path}")).bearer_auth(&key).body(body.clone());

    let headers = vec![("retry-after", "7".to_owned())];
    let limited = Fault::Answer(FaultResponse { status: 429, headers, body: "Too Many Requests".into() });
    faults.next(Method::POST, [limited, Fault::bytes(503, "unavailable")]);
    let response = post().send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(send(&url, &key, Method::POST, path, &body).await, answer(503, "unavailable"));
    assert!(server.account.variables(UUID).unwrap().is_empty());

    faults.next(Method::POST, [Fault::Hold(Box::new(Fault::DropCall))]);
    assert!(post().timeout(Duration::from_millis(200)).send().await.unwrap_err().is_timeout());
    assert!(server.account.variables(UUID).unwrap().is_empty());

    faults.next(Method::POST, [Fault::DropAnswer]);
    post().send().await.unwrap_err();
    assert_eq!(server.account.variables(UUID).unwrap().len(), 1);
    assert_eq!(send(&url, &key, Method::POST, path, &body).await.status, 409);
}
