//! The firmware's meaning of each status: the table of the protocol.

use firefly_core::signed_request::Nonce;
use firefly_core::time::UnixSeconds;
use firefly_device::{Client, Deletion, Identity, Registration, Restore, SignedHeaders, Standing, Upload};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::server::{Server, answer, error};

fn identity() -> Identity {
    Identity::generate("0x0000F1F1".parse().unwrap(), &mut StdRng::seed_from_u64(5))
}

fn signed() -> SignedHeaders {
    identity().sign(&Nonce::new([9; 32]), UnixSeconds::new(1_750_000_000))
}

fn client(answer: Vec<u8>) -> Client {
    Client::new(&Server::answering(answer).url()).unwrap()
}

const STATUSES: [u16; 14] = [200, 201, 204, 302, 304, 400, 401, 403, 404, 409, 413, 429, 500, 503];

#[tokio::test]
async fn each_status_has_the_firmware_s_meaning() {
    for status in STATUSES {
        let client = client(error(status, "the message"));
        // 204 and 304 have no body; error() gives one to the others.
        let client = match status {
            204 | 304 => self::client(answer(status, &[], b"")),
            _ => client,
        };
        let registration = client.register(&identity(), &"A1B2C3".parse().unwrap()).await.unwrap();
        let expected = match status {
            204 => Registration::Registered,
            _ => Registration::Refused,
        };
        assert_eq!(registration.outcome, expected, "{status}");
        assert_eq!(registration.response.status, status);
        let message = (!matches!(status, 204 | 304)).then(|| "the message".to_owned());
        assert_eq!(registration.response.message(), message);

        let expected = match status {
            200 => Standing::Registered,
            404 => Standing::NotRegistered,
            _ => Standing::Refused,
        };
        let standing = client.status(&signed()).await.unwrap();
        assert_eq!(standing.outcome, expected, "{status}");

        let expected = match status {
            200 | 204 | 304 => Upload::Stored,
            _ => Upload::Refused,
        };
        let upload = client.upload(&signed(), b"FFCE", None).await.unwrap();
        assert_eq!(upload.outcome, expected, "{status}");

        let restore = client.restore(&signed()).await.unwrap();
        match status {
            200 => assert!(matches!(restore.outcome, Restore::Restored(_))),
            404 => assert_eq!(restore.outcome, Restore::NoBackup),
            _ => assert_eq!(restore.outcome, Restore::Refused, "{status}"),
        }

        let expected = match status {
            200 | 204 => Deletion::Deleted,
            404 => Deletion::NotFound,
            _ => Deletion::Refused,
        };
        let deletion = client.delete(&signed()).await.unwrap();
        assert_eq!(deletion.outcome, expected, "{status}");
    }
}

#[tokio::test]
async fn a_restored_envelope_is_handed_over_whole() {
    let envelope = identity().seal(&[b'A'; 524_288], &[1; 12]).unwrap();
    let client = client(answer(200, &[], &envelope));
    let restore = client.restore(&signed()).await.unwrap();
    assert_eq!(restore.outcome, Restore::Restored(envelope.into()));
}

#[tokio::test]
async fn a_body_that_the_firmware_cannot_take_is_unusable() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nFFCE\r\n0\r\n\r\n";
    for raw in [
        chunked.to_vec(),
        b"HTTP/1.1 200 OK\r\n\r\nFFCE".to_vec(),
        answer(200, &[("Content-Encoding", "gzip")], b"FFCE"),
        answer(200, &[], b""),
        answer(200, &[], &[0; 524_326]),
    ] {
        let restore = client(raw).restore(&signed()).await.unwrap();
        assert!(matches!(restore.outcome, Restore::Unusable(_)), "{:?}", restore.outcome);
    }
}

#[tokio::test]
async fn a_message_is_a_string_of_a_json_object() {
    for (body, message) in [
        (&br#"{"message":"text","code":"c"}"#[..], Some("text")),
        (br#"{"message":1}"#, None),
        (br#"["message"]"#, None),
        (b"<html>", None),
        (b"\xff", None),
        (b"", None),
    ] {
        let answer = client(answer(500, &[], body)).status(&signed()).await;
        assert_eq!(answer.unwrap().response.message().as_deref(), message);
    }
}
