use std::net::{Ipv4Addr, TcpListener};

use super::*;

#[test]
fn the_url_is_that_of_the_region_unless_another_is_given() {
    let service = "https://appconfigdata.eu-central-1.amazonaws.com";
    for (endpoint, expected) in [("", service), ("http://127.0.0.1:1", "http://127.0.0.1:1")] {
        let variables = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            (ENDPOINT, endpoint),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let aws = Aws::new(&Environment::new(variables)).unwrap();
        assert_eq!(url(&aws.service(ENDPOINT).unwrap()).unwrap(), expected);
    }
}

/// Variables that lead to an AppConfig extension on this port.
fn asking(port: u16) -> Environment {
    let variables = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("APP_CONFIG_ENV", "test"),
        ("AWS_APPCONFIG_EXTENSION_HTTP_PORT", &port.to_string()),
    ];
    Environment::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

/// The clock stands still but for waits, so that every wait is counted in full and nothing else is.
#[tokio::test(start_paused = true)]
async fn no_request_waits_longer_than_its_patience_for_an_appconfig_that_never_answers() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let environment = asking(silent.local_addr().unwrap().port());
    let configuration = Configuration::new("function", &environment, &Aws::new(&environment).unwrap()).unwrap();
    let (start, patience) = (2_000_000_000, Duration::from_millis(300));
    // The first request of an interval starts a refresh, the next gives it up, and no other one waits.
    for (at, waits) in
        [(0, patience), (1, patience), (2, Duration::ZERO), (45, patience), (90, patience), (91, patience)]
    {
        let began = Instant::now();
        let until = configuration.begin(UnixSeconds::new(start + at)).await;
        configuration.settle(until).await;
        assert_eq!(began.elapsed(), waits, "at {at}");
    }
}
