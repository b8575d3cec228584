//! The bytes of each request, and the reading of answers.

use std::io::{Read as _, Write as _};

use firefly_core::registration::NewDevice;
use firefly_core::signed_request::Nonce;
use firefly_core::time::UnixSeconds;
use firefly_device::{Client, Identity, SignedHeaders, TransportError, UrlError, etag, registration_body};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::server::{Server, answer};

const NONE: &[(&str, &str)] = &[];

fn identity() -> Identity {
    Identity::generate("0x0000f1f1".parse().unwrap(), &mut StdRng::seed_from_u64(5))
}

fn signed() -> SignedHeaders {
    identity().sign(&Nonce::new([9; 32]), UnixSeconds::new(1_750_000_000))
}

/// Returns client and server for one exchange with this answer.
fn serving(answer: Vec<u8>) -> (Client, Server) {
    let server = Server::answering(answer);
    (Client::new(&server.url()).unwrap(), server)
}

/// Returns a head as the firmware sends it: the request line, the lines of every request, and these lines.
fn head(server: &Server, request_line: &str, lines: &[String]) -> String {
    let mut head = format!("{request_line}\r\nUser-Agent: ESP32 HTTP Client/1.0\r\nHost: {}\r\n", server.authority);
    for line in lines {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head + "\r\n"
}

fn signed_lines() -> Vec<String> {
    signed().to_string().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_registration_has_the_firmware_s_bytes() {
    let (client, server) = serving(answer(204, &[], b""));
    client.register(&identity(), &"A1B2C3".parse().unwrap()).await.unwrap();
    let request = server.only();
    let body = registration_body(&identity());
    let lines = [
        "X-Registration-Key: A1B2C3".to_owned(),
        "Content-Type: application/json".to_owned(),
        format!("Content-Length: {}", body.len()),
    ];
    let expected = head(&server, "POST /devices/register HTTP/1.1", &lines);
    assert_eq!(request.head, expected);
    assert_eq!(request.body, body);
}

#[test]
fn a_registration_body_has_the_members_of_the_protocol() {
    let body = registration_body(&identity());
    assert!((1200..1400).contains(&body.len()), "{} bytes", body.len());
    let parsed = NewDevice::parse(&body).unwrap();
    assert_eq!(parsed.id, identity().uuid());
    assert_eq!(parsed.device_class.as_str(), "CONTROLLER");
    assert_eq!(parsed.network.unwrap().len(), 4);

    let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(json["product_hex"], "0x0000F1F1");
    assert_eq!(json["public_key"], identity().public_key().to_base64());
    let members = |value: &serde_json::Value| {
        let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(
        members(&json["mcu"]),
        "cores cpu_freq_mhz features flash_chip_mode flash_chip_size flash_chip_speed idf_version model psram_size \
         revision"
    );
    let mut addresses = Vec::new();
    for network in json["network"].as_array().unwrap() {
        assert_eq!(members(network), "interface mac_address");
        let address = network["mac_address"].as_str().unwrap();
        assert_eq!(address.split(':').count(), 6);
        assert!(address.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F' | b':')));
        addresses.push(address);
    }
    addresses.dedup();
    assert_eq!(addresses.len(), 4);
    for partition in json["partitions"].as_array().unwrap() {
        assert_eq!(members(partition), "address label size subtype type");
    }
}

#[tokio::test]
async fn reads_and_deletes_carry_the_signature_and_nothing_else() {
    let device = identity().uuid();
    let (client, server) = serving(answer(200, &[], b"{}"));
    client.status(&signed()).await.unwrap();
    client.restore(&signed()).await.unwrap();
    client.delete(&signed()).await.unwrap();
    let heads: Vec<String> = server.received().into_iter().map(|request| request.head).collect();
    let expected = [
        format!("GET /devices/{device}/registration HTTP/1.1"),
        format!("GET /devices/{device}/backup HTTP/1.1"),
        format!("DELETE /devices/{device}/backup HTTP/1.1"),
    ]
    .map(|request_line| head(&server, &request_line, &signed_lines()));
    assert_eq!(heads, expected);
}

#[tokio::test]
async fn uploads_carry_the_envelope_and_its_etag() {
    let envelope = identity().seal(b"{}", &[3; 12]).unwrap();
    let tag = etag(b"{}");
    for sent in [Some(tag), None] {
        let (client, server) = serving(answer(200, &[], b"{}"));
        client.upload(&signed(), &envelope, sent).await.unwrap();
        let request = server.only();
        let mut lines = signed_lines();
        lines.push("Content-Type: application/octet-stream".to_owned());
        if sent.is_some() {
            lines.push("ETag: \"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"".to_owned());
        }
        lines.push("Content-Length: 39".to_owned());
        let request_line = format!("POST /devices/{}/backup HTTP/1.1", identity().uuid());
        assert_eq!(request.head, head(&server, &request_line, &lines));
        assert_eq!(request.body, envelope);
    }
}

#[tokio::test]
async fn a_hand_made_request_is_sent_as_given() {
    let (client, server) = serving(answer(200, &[("A", "1"), ("a", "2")], b"body"));
    let headers = [("x-Twice", "1"), ("X-twice", "2"), ("hOST", "elsewhere")];
    let response = client.request("PATCH", "/any?thing=1", &headers, Some(b"")).await.unwrap();
    assert_eq!(
        server.only().head,
        "PATCH /any?thing=1 HTTP/1.1\r\nUser-Agent: ESP32 HTTP Client/1.0\r\nx-Twice: 1\r\nX-twice: 2\r\n\
         hOST: elsewhere\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!((response.status, &response.body[..]), (200, &b"body"[..]));
    assert_eq!(response.header("A"), Some("1"));
    assert_eq!(response.headers.len(), 3);
}

#[tokio::test]
async fn a_content_length_of_the_caller_is_the_only_one() {
    let (client, server) = serving(answer(200, &[], b""));
    let headers = [("User-Agent", "curl"), ("Content-Length", "2")];
    client.request("POST", "/", &headers, Some(b"abc")).await.unwrap();
    let request = server.only();
    assert_eq!(
        request.head,
        format!("POST / HTTP/1.1\r\nHost: {}\r\nUser-Agent: curl\r\nContent-Length: 2\r\n\r\n", server.authority)
    );
    assert_eq!(request.body, b"ab");
}

#[tokio::test]
async fn a_request_with_a_character_that_breaks_it_is_not_sent() {
    let (client, server) = serving(answer(200, &[], b""));
    for (method, path, name, value) in [
        ("GET", "/ HTTP/1.1\r\nX: y", "a", "b"),
        ("GET", "/a b", "a", "b"),
        ("G T", "/", "a", "b"),
        ("GET", "/", "a\n", "b"),
        ("GET", "/", "a", "b\r\nc: d"),
        ("GET", "/", "a", "b\0"),
    ] {
        let sent = client.request(method, path, &[(name, value)], None).await;
        assert!(matches!(sent, Err(TransportError::Unsendable)), "{path} {name} {value}");
    }
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn a_path_in_the_url_comes_before_the_routes() {
    let server = Server::answering(answer(200, &[], b""));
    for suffix in ["/stage/one", "/stage/one/"] {
        let client = Client::new(&(server.url() + suffix)).unwrap();
        client.request("GET", "/health", NONE, None).await.unwrap();
    }
    for request in server.received() {
        assert_eq!(request.route(), ("GET", "/stage/one/health"));
    }
}

#[test]
fn a_good_url_is_completed_and_a_bad_one_is_its_own_error() {
    for (url, shown) in [
        ("http://cloud.example", "http://cloud.example:80"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("http://[::1]", "http://[::1]:80"),
        ("HTTP://cloud.example", "http://cloud.example:80"),
        ("https://cloud.example/stage", "https://cloud.example:443/stage"),
    ] {
        assert_eq!(Client::new(url).unwrap().to_string(), shown);
    }
    for url in ["", "http://", "http://:8080", "http://a b", "http://h:99999", "http://h:0", "http://h:"] {
        assert!(matches!(Client::new(url), Err(UrlError::Malformed)), "{url}");
    }
    for url in ["127.0.0.1:8080", "cloud.example", "/path", "ftp://h"] {
        assert!(matches!(Client::new(url), Err(UrlError::Scheme)), "{url}");
    }
    for url in ["http://user@h", "http://h/?a", "http://h/#a", "http://u:p@h:1/"] {
        assert!(matches!(Client::new(url), Err(UrlError::Surplus)), "{url}");
    }
}

#[tokio::test]
async fn every_framing_of_an_answer_is_read() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n4;x=y\r\nwhol\r\n1\r\ne\r\n0\r\nT: r\r\n\r\n";
    for raw in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole and more",
        "HTTP/1.1 200 OK\r\n\r\nwhole",
        "HTTP/1.0 200\r\n\r\nwhole",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole",
        chunked,
    ] {
        let (client, _server) = serving(raw.into());
        let response = client.request("GET", "/", NONE, None).await.unwrap();
        assert_eq!(response.body, "whole", "{raw}");
    }
    let (client, _server) = serving(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".to_vec());
    let response = client.request("HEAD", "/", NONE, None).await.unwrap();
    assert_eq!(response.body, "");
}

#[tokio::test]
async fn broken_answers_are_errors_and_nothing_is_tried_again() {
    let long_head = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(70_000));
    let not_http = [
        "SSH-2.0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: some\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        &long_head,
    ];
    let broken = [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhol",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nwh",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
    ];
    for raw in not_http {
        let (client, server) = serving(raw.into());
        let error = client.request("GET", "/", NONE, None).await.unwrap_err();
        assert!(matches!(error, TransportError::NotHttp { .. }), "{raw:.60}: {error}");
        server.only();
    }
    for raw in broken {
        let (client, server) = serving(raw.into());
        let error = client.request("GET", "/", NONE, None).await.unwrap_err();
        assert!(matches!(error, TransportError::Broken { .. }), "{raw}: {error}");
        server.only();
    }
}

#[tokio::test]
async fn a_204_or_304_that_announces_a_body_is_an_error() {
    for status in [204, 304] {
        let raw = format!("HTTP/1.1 {status} Status\r\nContent-Length: 2\r\n\r\n{{}}");
        let (client, _server) = serving(raw.into());
        let error = client.status(&signed()).await.unwrap_err();
        assert!(matches!(error, TransportError::AnnouncedBody { length: 2, .. }), "{error}");
    }
    let raw = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n".to_vec();
    let (client, _server) = serving(raw);
    assert_eq!(client.status(&signed()).await.unwrap().response.status, 204);
}

#[tokio::test]
async fn a_closed_port_is_an_error_that_names_the_url() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for scheme in ["http", "https"] {
        let client = Client::new(&format!("{scheme}://{address}")).unwrap();
        let error = client.request("GET", "/", NONE, None).await.unwrap_err();
        assert!(matches!(error, TransportError::Connect { .. }));
        assert!(error.to_string().contains(&format!("{scheme}://{address}: ")), "{error}");
    }
}

#[tokio::test]
async fn https_is_not_spoken_to_a_server_without_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&answer(400, &[], b"")).unwrap();
    });
    let client = Client::new(&format!("https://{address}")).unwrap();
    let error = client.request("GET", "/", NONE, None).await.unwrap_err();
    assert!(matches!(error, TransportError::Connect { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_before_the_body_is_read_counts() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut start = [0; 100];
        stream.read_exact(&mut start).unwrap();
        stream.write_all(&answer(413, &[], b"too large")).unwrap();
    });
    let client = Client::new(&format!("http://{address}")).unwrap();
    let body = vec![0; 16 << 20];
    let response = client.request("POST", "/", NONE, Some(&body)).await.unwrap();
    assert_eq!((response.status, &response.body[..]), (413, &b"too large"[..]));
}
