//! The whole broker over TLS.

use std::net::SocketAddr;
use std::time::Duration;

use emulator_mqtt::packet::{Connect, Packet, QoS};
use emulator_mqtt::{Limits, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::client::{BOUND, Client, config_of};
use super::driven::{connect, number, publish, subscribe, will};
use super::world::World;

/// Starts a broker; it stops when the sender goes.
pub async fn start(world: &World, limits: Limits) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = serve(listener, world.registry.clone(), limits, async { drop(stopped.await) });
    tokio::spawn(async { serving.await.unwrap() });
    (address, stop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_from_one_device_to_another() {
    let world = World::new().await;
    let (one, two) = (world.device("one").await, world.device("two").await);
    let (address, _stop) = start(&world, Limits::default()).await;
    let mut sender = Client::begin(address, &world.root(), &one, "one").await;
    let mut receiver = Client::begin(address, &world.root(), &two, "two").await;
    receiver.send(&subscribe(&[("news/#", QoS::AtLeastOnce)])).await;
    receiver.next(|packet| assert!(matches!(packet, Packet::Suback(_)))).await.unwrap();
    let payload = vec![b'x'; 131_072];
    for payload in [&b"short"[..], &payload] {
        sender.send(&publish("news/today", payload, Some(1))).await;
        sender.expect(&Packet::Puback(number(1))).await;
        let id = receiver.next(|packet| match packet {
            Packet::Publish(publish) => {
                assert_eq!(publish.payload, payload);
                match publish.delivery {
                    emulator_mqtt::packet::Delivery::AtLeastOnce { id, .. } => id,
                    other => panic!("{other:?}"),
                }
            }
            other => panic!("{other:?}"),
        });
        let id = id.await.unwrap();
        receiver.send(&Packet::Puback(id)).await;
    }
    sender.send(&Packet::Pingreq).await;
    sender.expect(&Packet::Pingresp).await;
    sender.send(&Packet::Disconnect).await;
    sender.expect_end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_session_ends_when_its_certificate_is_deactivated() {
    let world = World::new().await;
    let (one, two) = (world.device("one").await, world.device("two").await);
    let (address, _stop) = start(&world, Limits::default()).await;
    let mut session = Client::begin(address, &world.root(), &one, "one").await;
    let mut other = Client::begin(address, &world.root(), &two, "two").await;
    world.deactivate(&one).await;
    session.expect_end().await;
    other.send(&Packet::Pingreq).await;
    other.expect(&Packet::Pingresp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_publishes_the_will() {
    let world = World::new().await;
    let device = world.device("one").await;
    let (address, _stop) = start(&world, Limits::default()).await;
    let mut listener = Client::begin(address, &world.root(), &device, "listener").await;
    listener.send(&subscribe(&[("wills", QoS::AtMostOnce)])).await;
    listener.next(|_| ()).await.unwrap();
    let mut lost = Client::open(address, config_of(&world.root(), &device)).await.unwrap();
    lost.send(&Packet::Connect(Connect { will: Some(will("wills", b"gone")), ..connect("lost") })).await;
    lost.next(|_| ()).await.unwrap();
    drop(lost);
    listener.expect(&publish("wills", b"gone", None)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_level_gets_its_answer_before_the_end() {
    let world = World::new().await;
    let device = world.device("one").await;
    let (address, _stop) = start(&world, Limits::default()).await;
    let mut client = Client::open(address, config_of(&world.root(), &device)).await.unwrap();
    client.stream.write_all(b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03one").await.unwrap();
    let mut answer = Vec::new();
    timeout(BOUND, client.stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, b"\x20\x03\x00\x84\x00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_and_connect_have_deadlines() {
    let world = World::new().await;
    let device = world.device("one").await;
    let short = Duration::from_millis(50);
    let (address, _stop) = start(&world, Limits { handshake: short, ..Limits::default() }).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    silent.write_all(b"\x16\x03\x01").await.unwrap();
    let ended = timeout(BOUND, silent.read_to_end(&mut Vec::new())).await.unwrap();
    assert!(ended.is_err() || ended.is_ok_and(|length| length == 0));

    let (address, _stop) = start(&world, Limits { connect: short, ..Limits::default() }).await;
    let mut client = Client::open(address, config_of(&world.root(), &device)).await.unwrap();
    client.expect_end().await;
}

/// A client that does not read is disconnected while the broker writes to it, and nobody else waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_disconnected() {
    let world = World::new().await;
    let device = world.device("one").await;
    let limits = Limits { stall: Duration::from_millis(100), ..Limits::default() };
    let (address, _stop) = start(&world, limits).await;
    let mut slow = Client::begin(address, &world.root(), &device, "slow").await;
    slow.send(&subscribe(&[("news", QoS::AtMostOnce)])).await;
    slow.next(|_| ()).await.unwrap();
    let with_will = Connect { will: Some(will("wills", b"x")), ..connect("watcher") };
    let mut watcher = Client::open(address, config_of(&world.root(), &device)).await.unwrap();
    watcher.send(&Packet::Connect(with_will)).await;
    watcher.next(|_| ()).await.unwrap();
    let payload = vec![b'x'; 100_000];
    // The buffers of the two sockets hold a few MiB.
    let sender = Client::begin(address, &world.root(), &device, "sender").await;
    let flood = async |mut sender: Client| {
        for _ in 0..2_000 {
            sender.send(&publish("news", &payload, Some(1))).await;
            sender.expect(&Packet::Puback(number(1))).await;
        }
        sender
    };
    flood(sender).await;
    let mut total = 0;
    let mut buffer = vec![0; 65_536];
    while let Ok(length) = timeout(BOUND, slow.stream.read(&mut buffer)).await.unwrap() {
        total += length;
        if length == 0 {
            break;
        }
    }
    assert!(total < 150_000_000, "the slow client has got {total} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_waits_for_a_place() {
    let world = World::new().await;
    let device = world.device("one").await;
    let (address, _stop) = start(&world, Limits { connections: 1, ..Limits::default() }).await;
    let mut first = Client::begin(address, &world.root(), &device, "first").await;
    let root = world.root();
    let second = Client::begin(address, &root, &device, "second");
    tokio::pin!(second);
    tokio::select! {
        biased;
        _ = &mut second => panic!("a connection too many"),
        () = async {
            first.send(&Packet::Pingreq).await;
            first.expect(&Packet::Pingresp).await;
        } => {}
    }
    first.send(&Packet::Disconnect).await;
    timeout(BOUND, second).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_broker_ends_its_connections() {
    let world = World::new().await;
    let device = world.device("one").await;
    let (address, stop) = start(&world, Limits::default()).await;
    let mut client = Client::begin(address, &world.root(), &device, "one").await;
    drop(stop);
    client.expect_end().await;
    assert!(Client::open(address, config_of(&world.root(), &device)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sessions_at_once_hear_each_other() {
    let world = World::new().await;
    let device = world.device("one").await;
    let (address, _stop) = start(&world, Limits::default()).await;
    let root = world.root();
    let mut clients = Vec::new();
    for number in 0..20 {
        let mut client = Client::begin(address, &root, &device, &format!("client{number}")).await;
        client.send(&subscribe(&[("all", QoS::AtMostOnce)])).await;
        client.next(|_| ()).await.unwrap();
        clients.push(client);
    }
    let tasks = clients.into_iter().map(|mut client| {
        tokio::spawn(async move {
            for _ in 0..10 {
                client.send(&publish("all", b"x", None)).await;
            }
            for _ in 0..200 {
                client.expect(&publish("all", b"x", None)).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}
