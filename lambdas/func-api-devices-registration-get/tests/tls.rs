//! The compiled function over TLS: the root certificates that it trusts.

use firefly_testkit::runtime_api::RuntimeApi;
use firefly_testkit::{TestCloud, Tls};

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-devices-registration-get");

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_called_whose_certificate_is_trusted_and_no_other() {
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let tls = Tls::default();
    let url = tls.in_front_of(cloud.endpoints().0).await;
    // The file stands for the machine's root certificates.
    let machine = ("SSL_CERT_FILE", tls.certificate().to_str().unwrap());
    let own = ("AWS_ENDPOINT_URL_DYNAMODB", url.as_str());
    let of_all = ("AWS_ENDPOINT_URL", url.as_str());
    let no_own = ("AWS_ENDPOINT_URL_DYNAMODB", "");
    let trust = |value| ("FIREFLY_TRUST_MACHINE_ROOTS", value);
    for (variables, status) in [
        (vec![machine, own], 200),
        (vec![machine, no_own, of_all], 200),
        (vec![machine, own, trust("true")], 200),
        (vec![machine, own, trust("false")], 503),
        (vec![own], 503),
    ] {
        let function = RuntimeApi::start_with(BINARY, &cloud, &variables).await;
        let answer = function.invoke(&function.signed_event(&device)).await.unwrap();
        assert_eq!(answer.status, status, "{variables:?}");
    }
}
