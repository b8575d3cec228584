//! The AppConfig extension, which a layer attaches to a function and which answers on a local port.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};

use firefly_runtime::{ConfigError, Metrics};
use firefly_testkit::{Invoked, TestCloud};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{DEFAULT_INFO, HEALTH, Instance, Logs};

/// The AppConfig extension as a function sees it: an HTTP server on a local port.
struct Extension {
    port: String,
    answer: Arc<Mutex<String>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Extension {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let (answer, asked) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(Vec::new())));
        let extension = Self { port, answer: Arc::clone(&answer), asked: Arc::clone(&asked) };
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                asked.lock().unwrap().push(head.lines().next().unwrap().to_owned());
                let answer = answer.lock().unwrap().clone();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        extension
    }

    fn answers(&self, status: &str, body: &str) {
        let length = body.len();
        *self.answer.lock().unwrap() = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
    }

    fn variables(&self) -> [(&str, &str); 2] {
        [("APP_CONFIG_ENV", "production"), ("AWS_APPCONFIG_EXTENSION_HTTP_PORT", &self.port)]
    }
}

#[tokio::test]
async fn the_extension_is_asked_when_it_is_attached() {
    let logs = Logs::capture();
    let (cloud, extension) = (TestCloud::start().await, Extension::start().await);
    extension.answers("200 OK", r#"{"logging":"INFO"}"#);
    let instance = Instance::new(&cloud, HEALTH, extension.variables(), None);
    assert!(!instance.informs(&logs, 0).await);
    assert!(instance.informs(&logs, 1).await);
    extension.answers("200 OK", r#"{"logging":"WARN"}"#);
    assert!(instance.informs(&logs, 44).await && instance.informs(&logs, 44).await, "the level is cached");
    instance.informs(&logs, 45).await;
    assert!(!instance.informs(&logs, 46).await);
    let path = "/applications/firefly-func-api-health-get/environments/production/configurations/logging";
    assert_eq!(*extension.asked.lock().unwrap(), vec![format!("GET {path} HTTP/1.1"); 2]);
}

#[tokio::test]
async fn an_outage_of_the_extension_does_not_fail_the_function() {
    let logs = Logs::capture();
    let (cloud, extension) = (TestCloud::start().await, Extension::start().await);
    let answers = [
        ("500 Internal Server Error", "{}"),
        ("404 Not Found", "{}"),
        ("400 Bad Request", r#"{"logging":"WARN"}"#),
        ("200 OK", "not a profile"),
        ("200 OK", ""),
        ("nonsense", "{}"),
    ];
    for (status, body) in answers {
        extension.answers(status, body);
        let instance = Instance::new(&cloud, HEALTH, extension.variables(), DEFAULT_INFO);
        assert!(instance.informs(&logs, 0).await && instance.informs(&logs, 1).await, "{status} {body}");
    }
    let asked = extension.asked.lock().unwrap().len();
    assert_eq!(asked, answers.len());
    // No process listens.
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port().to_string();
    let variables = [("APP_CONFIG_ENV", "production"), ("AWS_APPCONFIG_EXTENSION_HTTP_PORT", nobody.as_str())];
    let instance = Instance::new(&cloud, HEALTH, variables, DEFAULT_INFO);
    assert!(instance.informs(&logs, 0).await && instance.informs(&logs, 1).await);
    // Somebody listens and never answers.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let variables = [("APP_CONFIG_ENV", "production"), ("AWS_APPCONFIG_EXTENSION_HTTP_PORT", port.as_str())];
    let instance = Instance::new(&cloud, HEALTH, variables, DEFAULT_INFO);
    assert!(instance.informs(&logs, 0).await && instance.informs(&logs, 1).await);
}

#[tokio::test]
async fn a_malformed_extension_port_is_an_error_at_the_start() {
    let cloud = TestCloud::start().await;
    for port in ["http", "65536", "-1"] {
        let name = "AWS_APPCONFIG_EXTENSION_HTTP_PORT";
        let environment = Invoked::environment(&cloud, HEALTH, &[(name, port)]);
        let start = firefly_functions::named(HEALTH).unwrap().start;
        let error = start(&environment, Metrics::new(io::sink())).err().unwrap();
        assert!(matches!(error, ConfigError::Invalid { name: invalid, .. } if invalid == name), "{port}: {error}");
    }
}
