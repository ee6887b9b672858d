//! Thousands of requests and messages that come at a byte a second and never end, and newcomers beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client::{Client, Frame};
use super::crowd::Crowd;
use super::node::pause;
use super::probe::{listener, p99};
use super::socket::Room;
use super::trust::{figures, is_long};
use super::world::{World, scaled, seconds, sockets_at_most, tenant};

/// Time between two bytes.
const EVERY: Duration = Duration::from_secs(1);
/// How much later than its limit a slow one may be closed: on a machine that others use, too.
const SLACK: Duration = Duration::from_secs(4);
/// Time in which a newcomer listens, at p99.
const NEWCOMER: Duration = Duration::from_millis(100);
/// Between two newcomers.
const PACE: Duration = Duration::from_millis(20);

/// What a slow one never gets to the end of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Half {
    Head,
    Body,
    Frame,
}

impl Half {
    /// What it is told in the end.
    fn told(self) -> &'static str {
        match self {
            Self::Head => "408: head_timeout_ms",
            Self::Body => "408: body_timeout_ms",
            Self::Frame => "1008: body_timeout_ms",
        }
    }
}

/// Slow ones, and how they ended.
struct Slow {
    crowd: Crowd,
    /// What each is in the middle of, and since when.
    halves: Vec<(Half, Instant)>,
    /// Who was told why it ended.
    told: BTreeSet<usize>,
    ends: BTreeMap<String, usize>,
    /// Ends that are not those that the limits name.
    surprises: Vec<String>,
    longest: BTreeMap<Half, Duration>,
    limits: (Duration, Duration),
}

impl Slow {
    fn new(head: Duration, body: Duration) -> Self {
        Self {
            crowd: Crowd::new(),
            halves: Vec::new(),
            told: BTreeSet::new(),
            ends: BTreeMap::new(),
            surprises: Vec::new(),
            longest: BTreeMap::new(),
            limits: (head, body),
        }
    }

    fn come(&mut self, world: &World, half: Half, target: &str) {
        let place = self.crowd.connect(world.port(), Room::Usual).expect("a connection");
        // The node may have it as soon as it is sent.
        self.halves.push((half, Instant::now()));
        let path = world.keyed("demo", "");
        self.crowd.tell(place, |client| match half {
            Half::Head => client.send(b"GET /edge/realtime/hist"),
            Half::Body => client.send(
                format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{{")
                    .as_bytes(),
            ),
            // Half a frame follows as soon as it is let in.
            Half::Frame => client.upgrade(target),
        });
    }

    /// A byte more of everything.
    fn drip(&mut self) {
        let places: Vec<_> = self.crowd.places().collect();
        for place in places {
            let is_frame = self.halves[place].0 == Half::Frame;
            self.crowd.tell(place, |client| drip(client, is_frame));
        }
    }

    fn hear(&mut self, patience: Duration) {
        let Self { crowd, halves, told: all_told, ends, surprises, longest, limits } = self;
        let mut end = |place: usize, told: String| {
            let (half, since) = halves[place];
            all_told.insert(place);
            let took = since.elapsed();
            let limit = if half == Half::Head { limits.0 } else { limits.1 };
            if told != half.told() || took < limit || took > limit + SLACK {
                surprises.push(format!("{half:?}: {told} after {took:?}"));
            }
            let longest = longest.entry(half).or_default();
            *longest = took.max(*longest);
            *ends.entry(told).or_default() += 1;
        };
        let gone = crowd.pump(patience, |place, client, frame| match frame {
            Frame::Head(head) if head.starts_with("HTTP/1.1 101") => {
                // A masked text of 120 bytes, of which none is there.
                client.send(&[0x81, 0x80 | 120, 0, 0, 0, 0]);
            }
            Frame::Head(head) => end(place, format!("{}: {}", &head[9..12], limit_in(&head))),
            Frame::Close(code, why) => end(place, format!("{code}: {}", limit_in(&why))),
            Frame::Text(_) | Frame::Ping(_) | Frame::Pong | Frame::Other => {}
        });
        for (place, _) in gone.iter().filter(|(place, _)| !all_told.contains(place)) {
            let (half, since) = halves[*place];
            surprises.push(format!("{half:?}: cut without a word after {:?}", since.elapsed()));
        }
    }
}

/// Half a frame comes behind the upgrade.
fn drip(client: &mut Client, is_frame: bool) {
    if client.is_open == is_frame {
        client.send(b"a");
    }
}

/// The limit that a refusal names.
fn limit_in(text: &str) -> String {
    let is_of_name = |it: char| it.is_ascii_lowercase() || it == '_';
    let words = text.split(|it: char| !is_of_name(it));
    let name = words.into_iter().find(|it| it.ends_with("_ms"));
    name.unwrap_or(text).to_owned()
}

/// Newcomers, one after the other, and how long each took until it listened.
fn newcomers(world: &World, target: &str, stop: &Arc<AtomicBool>) -> JoinHandle<Vec<Duration>> {
    let (port, target, stop) = (world.port(), target.to_owned(), Arc::clone(stop));
    thread::spawn(move || {
        let mut times = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            let began = Instant::now();
            let client: Client = listener(port, &target);
            times.push(began.elapsed());
            drop(client);
            pause(PACE);
        }
        times
    })
}

#[test]
fn what_never_ends_is_ended_by_a_limit_and_newcomers_come_in() {
    let count = sockets_at_most(scaled(150, 2_000));
    let time = seconds(3, 30);
    let (head_ms, body_ms) = if is_long() { (5_000, 10_000) } else { (1_000, 2_000) };
    let world = World::start(
        &tenant("demo", '1'),
        &[
            "--limits-head-timeout-ms",
            &head_ms.to_string(),
            "--limits-body-timeout-ms",
            &body_ms.to_string(),
        ],
    );
    let (target, door) = (world.socket("demo", "slow"), world.socket("demo", "door"));
    let mut slow = Slow::new(Duration::from_millis(head_ms), Duration::from_millis(body_ms));
    let stop = Arc::new(AtomicBool::new(false));
    let coming = newcomers(&world, &door, &stop);
    let began = Instant::now();
    let mut next = began;
    let mut turn = [Half::Head, Half::Body, Half::Frame].into_iter().cycle();
    while began.elapsed() < time {
        // Whoever was closed is followed by another.
        let missing = (count - slow.crowd.len()).min(100);
        turn.by_ref().take(missing).for_each(|half| slow.come(&world, half, &target));
        if next <= Instant::now() {
            next += EVERY;
            slow.drip();
        }
        slow.hear(Duration::from_millis(10));
    }
    stop.store(true, Ordering::SeqCst);
    let times = coming.join().unwrap();
    let (came, p99) = (times.len(), p99(times));
    // The rest ends as well, and nothing has to be said for it.
    let until = Instant::now() + slow.limits.1 + SLACK;
    while slow.crowd.len() > 0 && Instant::now() < until {
        slow.hear(Duration::from_millis(50));
    }
    let closed: usize = slow.ends.values().sum();
    figures(
        "slow heads",
        &format!(
            "\"at_once\":{count},\"closed\":{closed},\"told\":{:?},\"longest\":\"{:?}\",\
         \"newcomers\":{},\"newcomer_p99_ms\":{:.1},\"peak_mib\":{}",
            slow.ends,
            slow.longest,
            came,
            p99.as_secs_f64() * 1_000.0,
            world.peak_mib()
        ),
    );
    assert!(slow.surprises.is_empty(), "{:?}", &slow.surprises[..slow.surprises.len().min(5)]);
    assert_eq!(slow.crowd.len(), 0, "some were never ended");
    assert_eq!(closed, slow.halves.len());
    assert!(slow.ends.len() == 3 && came > 10, "little happened");
    if is_long() {
        assert!(p99 <= NEWCOMER, "{p99:?}");
    }
    world.node.kill();
}
