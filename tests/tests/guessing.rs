//! Tries at registration keys are limited per source address, and over all addresses.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;

use firefly_device::{Identity, Response};
use firefly_testkit::faults::{Call, Fault, Faults};
use firefly_testkit::stored::{KEYS, item, number, text};
use firefly_testkit::{Invoked, START, TestCloud, new_device};
use futures::future::join_all;

/// The start of the hour that test clouds start in, in epoch seconds.
const HOUR: u64 = START / 3_600 * 3_600;

async fn try_wrong_key(cloud: &TestCloud) -> u16 {
    cloud.register(&new_device(), "WRONG0").await.status
}

/// Lays down the tries of all addresses in an hour.
async fn set_all(cloud: &TestCloud, hour: u64, shards: [u64; 4]) {
    for (shard, count) in shards.into_iter().enumerate() {
        let key = text(format!("wrong-keys#{hour}#all-{shard}"));
        cloud.put_item(KEYS, item([("key", key), ("wrong_keys", number(count))])).await;
    }
}

/// The tries in the last hour that an address's item tells.
async fn tries(cloud: &TestCloud, address: &str) -> String {
    let item = cloud.item(KEYS, "key", &format!("wrong-keys#{address}")).await.unwrap();
    item["tries"].as_n().unwrap().clone()
}

/// The function that registers, asked without a gateway before it, which would have 64 requests under way at most.
struct Function<'a> {
    cloud: &'a TestCloud,
    function: Arc<Invoked>,
}

impl<'a> Function<'a> {
    fn of(cloud: &'a TestCloud) -> Self {
        Self { cloud, function: Arc::new(Invoked::new(cloud, "func-api-devices-register-post")) }
    }

    /// Like [`Self::of`], but its calls of DynamoDB meet these faults.
    async fn with(cloud: &'a TestCloud, faults: &Faults) -> Self {
        let dynamodb = faults.in_front_of(cloud.endpoints().0).await;
        let variables = [("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.as_str())];
        Self { cloud, function: Arc::new(Invoked::with(cloud, "func-api-devices-register-post", &variables)) }
    }

    async fn register_from(&self, address: &str, device: &Identity, key: &str) -> Response {
        let event = self.function.event().registration(device, key);
        let event = event.with("/requestContext/http/sourceIp", address);
        self.function.answer(self.cloud.now(), &event).await
    }

    async fn guess_from(&self, address: &str) -> u16 {
        self.register_from(address, &new_device(), "WRONG0").await.status
    }

    /// Sends so many guesses from one address at once, and returns the number of those that were judged and refused.
    async fn guesses_at_once(&self, guesses: usize) -> (usize, usize) {
        let event = self.function.event().registration(&new_device(), "WRONG0");
        let event = event.with("/requestContext/http/sourceIp", "192.0.2.1");
        let now = self.cloud.now();
        let sent = (0..guesses).map(|_| {
            let (function, event) = (Arc::clone(&self.function), event.clone());
            tokio::spawn(async move { function.answer(now, &event).await.status })
        });
        let statuses: Vec<_> = join_all(sent).await.into_iter().map(Result::unwrap).collect();
        assert_tried("192.0.2.1", &statuses);
        let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
        (count(401), count(429))
    }

    /// Of guesses sent at once from this address, whose bucket had so many tries, these numbers were judged and refused.
    ///
    /// A machine that is too slow for so many at once answers some 503. Those have given their try back, and as many guesses
    /// are judged later, or have lost it.
    async fn assert_judged(
        &self,
        address: &str,
        case: &str,
        tries: usize,
        sent: usize,
        (judged, refused): (usize, usize),
    ) {
        let unavailable = sent - judged - refused;
        let mut later = 0;
        while self.guess_from(address).await == 401 {
            later += 1;
        }
        assert_eq!(self.guess_from(address).await, 429, "{case}");
        let seen = format!("{case}: {judged} of {sent} judged, {unavailable} not looked at, {later} judged later");
        assert!(judged + later <= tries, "{seen}");
        assert!(judged + later + unavailable >= tries, "{seen}");
    }
}

/// Each guess was judged, refused, or not looked at by a machine that is too slow.
fn assert_tried(address: &str, statuses: &[u16]) {
    assert!(statuses.iter().all(|status| [401, 429, 503].contains(status)), "{address}: {statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_121st_wrong_key_of_an_address_is_429() {
    let cloud = TestCloud::start().await;
    let honest = cloud.mint().await;
    let mut statuses = Vec::new();
    for _ in 0..300 {
        statuses.push(try_wrong_key(&cloud).await);
    }
    assert_eq!(statuses[..120], [401; 120]);
    assert_eq!(statuses[120..], [429; 180]);
    // Even a live key is not looked at, and nothing is spent.
    let device = new_device();
    let refused = cloud.register(&device, honest.as_str()).await;
    let retry_after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert_eq!((refused.status, retry_after), (429, 30));
    assert!(cloud.key_item(honest.as_str()).await.is_some());
    assert!(cloud.device_item(device.uuid()).await.is_none());
    cloud.advance(retry_after - 1);
    assert_eq!(try_wrong_key(&cloud).await, 429);
    cloud.advance(1);
    assert_eq!(try_wrong_key(&cloud).await, 401);
    assert_eq!(try_wrong_key(&cloud).await, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_wrong_keys_in_a_minute_are_401() {
    let cloud = TestCloud::start().await;
    for _ in 0..60 {
        assert_eq!(try_wrong_key(&cloud).await, 401);
        cloud.advance(1);
    }
}

/// Each has read the address's item before the first of them writes it.
#[tokio::test(flavor = "multi_thread")]
async fn of_200_guesses_at_once_120_are_judged() {
    let (cloud, faults) = (TestCloud::start().await, Faults::default());
    let function = Function::with(&cloud, &faults).await;
    // No item, one whose bucket has got all its tries back, and one whose bucket has got back half.
    for (case, wait, judged) in [("new", 0, 120), ("drained", 3_600, 120), ("half drained", 1_800, 60)] {
        cloud.advance(wait);
        let arrived = faults.count(Call::GetWrongKeys);
        faults.every(Call::GetWrongKeys, Fault::Hold(Box::new(Fault::Pass)));
        let release = async {
            faults.arrived(Call::GetWrongKeys, arrived + 200).await;
            faults.mend();
            faults.release();
        };
        let (counts, ()) = tokio::join!(function.guesses_at_once(200), release);
        function.assert_judged("192.0.2.1", case, judged, 200, counts).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_1000_guesses_at_once_120_are_judged() {
    let cloud = TestCloud::start().await;
    let function = Function::of(&cloud);
    let (judged, refused) = function.guesses_at_once(1_000).await;
    println!("of 1000 guesses sent at once {judged} were judged, {refused} refused, the rest not looked at (503)");
    function.assert_judged("192.0.2.1", "new", 120, 1_000, (judged, refused)).await;
}

/// However long an address has guessed, and however often it was refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_key_passes_within_a_minute_after_its_address_has_stopped_guessing() {
    let cloud = TestCloud::start().await;
    let function = Function::of(&cloud);
    for _ in 0..150 {
        function.guess_from("192.0.2.1").await;
    }
    for _ in 0..200 {
        cloud.advance(10);
        function.guess_from("192.0.2.1").await;
    }
    assert_eq!(function.guess_from("192.0.2.1").await, 429);
    let (device, key) = (new_device(), cloud.mint().await);
    let mut waited = 0;
    while function.register_from("192.0.2.1", &device, key.as_str()).await.status != 204 {
        assert!(waited < 60, "it is refused for a minute");
        cloud.advance(1);
        waited += 1;
    }
    assert!(cloud.device_item(device.uuid()).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn good_registrations_are_not_counted_as_wrong_keys() {
    let cloud = TestCloud::start().await;
    for _ in 0..125 {
        let device = cloud.registered_device().await;
        // The device registers again with a key that is spent, as after a lost answer.
        assert_eq!(cloud.register(&device, "WRONG0").await.status, 204);
        let taken = new_device().with_uuid(device.uuid());
        // A key that is good, for a UUID that is not: it stays good.
        let key = cloud.mint().await;
        assert_eq!(cloud.register(&taken, key.as_str()).await.status, 409);
        assert_eq!(cloud.register(&new_device(), key.as_str()).await.status, 204);
    }
    assert_eq!(tries(&cloud, "127.0.0.1").await, "0");
    assert_eq!(try_wrong_key(&cloud).await, 401);
    assert_eq!(tries(&cloud, "127.0.0.1").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_is_given_back_when_the_tables_fail() {
    let (cloud, faults) = (TestCloud::start().await, Faults::default());
    let function = Function::with(&cloud, &faults).await;
    let key = cloud.mint().await;
    for call in [Call::GetKey, Call::WriteAndSpend] {
        faults.every(call, Fault::json_error(500, "InternalServerError"));
        let answer = function.register_from("192.0.2.1", &new_device(), key.as_str()).await;
        assert_eq!(answer.status, 503, "{call:?}");
        assert_eq!(tries(&cloud, "192.0.2.1").await, "0", "{call:?}");
        faults.mend();
    }
}

/// A try is admitted once, however often its transaction loses a race.
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_loses_races_takes_one_try() {
    let (cloud, faults) = (TestCloud::start().await, Faults::default());
    let function = Function::with(&cloud, &faults).await;
    let key = cloud.mint().await;
    let lost = Fault::cancelled(&["None", "TransactionConflict"]);
    faults.next(Call::WriteAndSpend, [lost.clone(), lost.clone(), lost]);
    assert_eq!(function.register_from("192.0.2.1", &new_device(), key.as_str()).await.status, 204);
    assert_eq!(faults.count(Call::WriteAndSpend), 4);
    // The try, and its giving back.
    assert_eq!((faults.count(Call::CountWrongKey), faults.count(Call::CountAllWrongKeys)), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sixth_wrong_key_is_429_once_all_addresses_have_many() {
    let cloud = TestCloud::start().await;
    set_all(&cloud, HOUR, [1_300; 4]).await;
    let mut answered = Vec::new();
    for _ in 0..6 {
        answered.push(try_wrong_key(&cloud).await);
    }
    assert_eq!(answered, [401, 401, 401, 401, 401, 429]);
    // In the next hour of the clock they count anew.
    cloud.set_now(HOUR + 3_600);
    set_all(&cloud, HOUR + 3_600, [1_300; 4]).await;
    for status in [401, 401, 401, 401, 401, 429] {
        assert_eq!(try_wrong_key(&cloud).await, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_of_all_addresses_are_added_up() {
    let cloud = TestCloud::start().await;
    let function = Function::of(&cloud);
    for _ in 0..5 {
        assert_eq!(function.guess_from("192.0.2.1").await, 401);
    }
    set_all(&cloud, HOUR, [1_250, 1_250, 1_250, 1_241]).await;
    assert_eq!(function.guess_from("192.0.2.1").await, 401, "of 4,991 and its own");
    for host in 1..=9 {
        assert_eq!(function.guess_from(&format!("198.51.100.{host}")).await, 401);
    }
    assert_eq!(function.guess_from("192.0.2.1").await, 429, "5,001 are too many");
}

/// Each of the addresses sends more at once than it has first tries.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_once_from_many_addresses_are_five_each_once_all_have_many() {
    let cloud = TestCloud::start().await;
    let function = Function::of(&cloud);
    set_all(&cloud, HOUR, [1_300; 4]).await;
    let addresses: Vec<_> = (1..=8).map(|host| format!("198.51.100.{host}")).collect();
    let sent = addresses.iter().flat_map(|address| (0..20).map(|_| function.guess_from(address)));
    let (statuses, mut judged) = (join_all(sent).await, 0);
    for (address, statuses) in addresses.iter().zip(statuses.chunks(20)) {
        assert_tried(address, statuses);
        let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
        judged += count(401);
        function.assert_judged(address, address, 5, 20, (count(401), count(429))).await;
    }
    assert!(judged > 0, "no guess was judged while others were under way");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installer_who_has_not_guessed_is_not_locked_out_by_strangers() {
    let cloud = TestCloud::start().await;
    set_all(&cloud, HOUR, [1_000_000; 4]).await;
    let stranger = item([
        ("key", text("wrong-keys#192.0.2.1")),
        ("drained_at", number(START + 3_600)),
        ("hour", number(HOUR)),
        ("tries", number(1_000)),
    ]);
    cloud.put_item(KEYS, stranger).await;
    assert_eq!(try_wrong_key(&cloud).await, 401);
    cloud.registered_device().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_with_live_keys_succeed_while_other_addresses_guess() {
    let cloud = TestCloud::start().await;
    let function = Function::of(&cloud);
    set_all(&cloud, HOUR, [1_250; 4]).await;
    let attack = async {
        let guesses = (0..200).map(|guess| function.guess_from(["198.51.100.1", "198.51.100.2"][guess % 2]));
        let site = (0..100).map(|_| function.guess_from("2001:db8:7:1::1"));
        (join_all(guesses).await, join_all(site).await)
    };
    let installer = async {
        for round in 0..40 {
            let key = cloud.mint().await;
            let address = if round % 2 == 0 { "192.0.2.1" } else { "2001:db8:8:1::1" };
            let status = function.register_from(address, &new_device(), key.as_str()).await.status;
            assert_eq!(status, 204, "{round}");
        }
    };
    let ((strangers, site), ()) = tokio::join!(attack, installer);
    assert!(strangers.contains(&429) && site.contains(&429));
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_of_wrong_keys_are_not_listed_as_keys() {
    let cloud = TestCloud::start().await;
    try_wrong_key(&cloud).await;
    let counted = cloud.item(KEYS, "key", "wrong-keys#127.0.0.1").await.unwrap();
    assert_eq!((&counted["tries"], &counted["hour"]), (&number(1), &number(HOUR)));
    assert_eq!((&counted["drained_at"], &counted["ttl"]), (&number(START + 30), &number(START + 3_600)));
    let list = cloud.as_user("installer", &[], "GET", "/registration-keys").await;
    assert_eq!(&list.body[..], b"{\"registration_keys\":[]}");
}
