//! Thousands of sockets that listen and never read, beside ten that do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::bare::Bare;
use super::client::Frame;
use super::crowd::Crowd;
use super::listeners::{Caller, Listeners, at_a_rate};
use super::node::pause;
use super::probe::{Kept, Probe, Seen, Window, listener, number};
use super::socket::Room;
use super::trust::{figures, is_long};
use super::turns::in_turns;
use super::world::{World, scaled, seconds, sockets_at_most, tenant};

const READERS: usize = 10;
/// So many of those who do not read begin to, once they were given up: they find out why.
const LATE: usize = 50;
const AFTER: Duration = Duration::from_millis(4_500);
const PAYLOAD_BYTES: usize = 8 * 1024;
/// Between two messages to those who do not read.
const EVERY: Duration = Duration::from_millis(100);
/// How long everything that is under way may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// Resident memory at most.
const MOST_MIB: u64 = 256;
/// Whoever does not read is given up for one of these.
const LIMITS: [&str; 3] = ["outbox_bytes_max", "outbox_age_ms_max", "outbox_total_bytes_max"];

/// In short they are given up soon, and may take as long as the test does to hear why: all of them are told.
const SHORT: [&str; 4] =
    ["--limits-outbox-age-ms-max", "1000", "--limits-close-timeout-ms", "120000"];

/// Some who do not read, until they look at what they were left.
struct Mutes {
    crowd: Crowd,
    /// The last message that each finds.
    heard: Vec<u64>,
    /// Who is told why it was given up; who reads later than `close_timeout_ms` finds that its connection is over, and no word.
    told: BTreeSet<usize>,
    whys: BTreeMap<String, usize>,
    cut: usize,
}

impl Mutes {
    fn gather(port: u16, count: usize, target: &str) -> Self {
        Self {
            crowd: Crowd::gather(port, count, target, Room::Little),
            heard: vec![0; count],
            told: BTreeSet::new(),
            whys: BTreeMap::new(),
            cut: 0,
        }
    }

    /// They look: what was sent to them is there without a gap, and behind it nothing but the name of a limit.
    fn look(&mut self, patience: Duration) {
        let Self { crowd, heard, told, whys, cut } = self;
        let gone = crowd.pump(patience, |place, _, frame| match frame {
            Frame::Text(text) => {
                assert!(!told.contains(&place), "mute {place} is told something behind its end");
                assert_eq!(number(&text), heard[place] + 1, "mute {place}");
                heard[place] += 1;
            }
            Frame::Close(code, why) => {
                let is_named = code == 1013 && LIMITS.iter().any(|it| why.contains(it));
                assert!(is_named, "mute {place} was closed: {code} {why}");
                assert!(told.insert(place), "mute {place} was closed twice");
                *whys.entry(format!("{code} {why}")).or_default() += 1;
            }
            Frame::Head(_) | Frame::Ping(_) | Frame::Pong | Frame::Other => {}
        });
        *cut += gone.iter().filter(|(place, _)| !told.contains(place)).count();
    }
}

#[test]
fn who_does_not_read_is_closed_and_costs_nobody_else() {
    let count = sockets_at_most(scaled(600, 9_000));
    in_turns("mute", || beside_a_bare_server(count), || beside_a_node(count));
}

fn beside_a_node(count: usize) -> Seen {
    let flags: &[&str] = if is_long() { &[] } else { &SHORT };
    let world = World::start(&tenant("demo", '1'), flags);
    let probe = Probe::begin(world.port(), &world.socket("demo", "quiet"), 100, Kept::No);
    let keeper = Probe::begin(world.port(), &world.socket("demo", "kept"), 20, Kept::Yes);
    let target = world.socket("demo", "loud");
    let mut readers = Listeners::gather("reader", world.port(), READERS, &target);
    // Who came first is given up first among those who wait for as long and for as much.
    let mut late = Mutes::gather(world.port(), LATE, &target);
    let mut mutes = Mutes::gather(world.port(), count - LATE, &target);
    let both = |window| [&probe, &keeper].iter().for_each(|it| it.enter(window));
    both(Window::Alone);
    pause(seconds(1, 10));
    both(Window::Beside);
    let mut caller = Caller::new(&world, "loud", PAYLOAD_BYTES);
    caller.call_for(seconds(6, 15), EVERY, |since| {
        readers.hear(Duration::from_millis(5));
        if since > AFTER {
            late.look(Duration::from_millis(1));
        }
    });
    both(Window::Between);
    readers.hear_until(caller.last);
    // Whoever never read finds that its connection is over. In full length some look too late to be told why.
    let until = Instant::now() + PATIENCE;
    while mutes.crowd.len() > 0 {
        let left = mutes.crowd.len();
        assert!(Instant::now() < until, "{left} of those who did not read go on");
        late.look(Duration::from_millis(1));
        mutes.look(Duration::from_millis(20));
    }
    let (seen, kept, peak) = (probe.end(), keeper.end(), world.peak_mib());
    figures(
        "mute",
        &format!(
            "\"mutes\":{count},\"readers\":{READERS},\"messages\":{},\"bytes\":{PAYLOAD_BYTES},\
         \"told\":{:?},\"told_who_never_read\":{:?},\"cut\":{},{seen},\"acknowledged\":{},\"peak_mib\":{peak}",
            caller.last,
            late.whys,
            mutes.whys,
            late.cut + mutes.cut,
            kept.acknowledged
        ),
    );
    assert!(!late.told.is_empty(), "nobody was told why");
    if !is_long() {
        assert_eq!((late.told.len(), mutes.told.len()), (LATE, count - LATE), "all are told why");
    }
    assert_eq!(world.kept("demo", "kept"), kept.acknowledged);
    kept.check(Duration::from_millis(500));
    seen.check_all();
    assert!(peak <= MOST_MIB, "{peak} MiB");
    world.node.kill();
    seen
}

/// The same beside a server that does no more than it must.
fn beside_a_bare_server(count: usize) -> Seen {
    let bare = Bare::start(seconds(1, 10));
    let probe = Probe::begin(bare.port, "/?channel=quiet", 100, Kept::No);
    let mut readers = Listeners::gather("reader", bare.port, READERS, "/?channel=loud");
    let mut mutes = Crowd::gather(bare.port, count, "/?channel=loud", Room::Little);
    let mut caller = listener(bare.port, "/?channel=caller");
    probe.enter(Window::Alone);
    pause(seconds(1, 10));
    probe.enter(Window::Beside);
    at_a_rate(
        seconds(2, 15),
        EVERY,
        || caller.say("once more"),
        |_| {
            readers.hear(Duration::from_millis(5));
        },
    );
    probe.enter(Window::Between);
    let until = Instant::now() + PATIENCE;
    // In short the kernel has room for all that was said to them, and nobody ends.
    while is_long() && mutes.len() > 0 {
        assert!(Instant::now() < until, "{} of those who did not read go on", mutes.len());
        mutes.pump(Duration::from_millis(20), |_, _, _| {});
    }
    let seen = probe.end();
    seen.check_all();
    bare.end();
    seen
}
