//! The limit of a function's reply.

use firefly_functions::Listed;
use http_body_util::BodyExt as _;

use super::*;

/// A function whose reply has this many bytes.
fn replies(length: usize) -> Running {
    Arc::new(move |_now, _invocation, _event| {
        let (start, end) = (r#"{"statusCode":200,"body":""#, r#""}"#);
        let body = "x".repeat(length - start.len() - end.len());
        Box::pin(async move { Ok(format!("{start}{body}{end}")) })
    })
}

#[tokio::test]
async fn a_reply_may_have_what_lambda_takes_and_no_more() {
    let parameters = ["ApiId", "AuthorizerId", "SharedLayerArn", "AppConfigExtensionLayerArn", "AppConfigEnv"];
    let parameters = parameters.map(|name| (name.to_owned(), String::new())).into();
    let health = Listed::named("func-api-health-get").unwrap().template;
    for (length, status) in [(6_291_556, 200), (6_291_557, 500)] {
        let template = FunctionTemplate::parse(health, &parameters).unwrap();
        let deployed = Deployed { template, function: replies(length) };
        let response = invoke(&deployed, UnixSeconds::new(0), "test", String::new()).await;
        assert_eq!(response.status(), status, "{length} bytes");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body == r#"{"message":"Internal Server Error"}"#, status == 500);
    }
}
