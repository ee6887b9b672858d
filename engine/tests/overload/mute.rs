//! Thousands of sockets that listen and never read, beside ten that do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::client::Frame;
use super::crowd::Crowd;
use super::http::Http;
use super::node::pause;
use super::probe::{Kept, Probe, Window, number};
use super::socket::Room;
use super::trust::{figures, is_long};
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

/// Everybody on the channel that is too much for most of them.
struct Channel {
    readers: Crowd,
    /// The last message of each reader.
    heard: Vec<u64>,
    mutes: Crowd,
    late: Crowd,
    /// What those were told who read in the end.
    told: BTreeMap<String, usize>,
}

impl Channel {
    fn open(world: &World, count: usize) -> Self {
        let target = world.socket("demo", "loud");
        let gather = |count, room| Crowd::gather(world.port(), count, &target, room);
        // Who came first is given up first among those who wait for as long and for as much.
        let (readers, late) = (gather(READERS, Room::Usual), gather(LATE, Room::Little));
        let mutes = gather(count - LATE, Room::Little);
        Self { readers, heard: vec![0; READERS], mutes, late, told: BTreeMap::new() }
    }

    /// The readers read.
    fn read(&mut self, patience: Duration) {
        let heard = &mut self.heard;
        let gone = self.readers.pump(patience, |place, _, frame| match frame {
            Frame::Text(text) => {
                assert_eq!(number(&text), heard[place] + 1, "reader {place}");
                heard[place] += 1;
            }
            Frame::Close(code, why) => panic!("reader {place} was closed: {code} {why}"),
            Frame::Head(_) | Frame::Ping(_) | Frame::Pong | Frame::Other => {}
        });
        assert!(gone.is_empty(), "readers {gone:?} are gone");
    }

    /// Publishes to all of them for a while. Gives how many messages there were.
    fn publish(&mut self, world: &World, time: Duration) -> u64 {
        let (path, mut http) = (world.keyed("demo", ""), Http::open(world.port()).unwrap());
        let fill = "x".repeat(PAYLOAD_BYTES);
        let (began, mut sent) = (Instant::now(), 0);
        while began.elapsed() < time {
            if began.elapsed() >= EVERY * sent {
                sent += 1;
                let body = format!(
                    "{{\"channel\":\"loud\",\"event\":\"m\",\"persist\":false,\
                     \"data\":{{\"n\":{sent},\"fill\":\"{fill}\"}}}}"
                );
                assert!(http.ask(&path, None, Some(&body)));
                assert_eq!(http.answer().unwrap().status, 200);
            }
            self.read(Duration::from_millis(5));
            if began.elapsed() > AFTER {
                self.read_late();
            }
        }
        u64::from(sent)
    }

    fn read_late(&mut self) {
        let told = &mut self.told;
        self.late.pump(Duration::from_millis(1), |_, _, frame| {
            if let Frame::Close(code, why) = frame {
                *told.entry(format!("{code} {why}")).or_default() += 1;
            }
        });
    }

    /// Whoever did not read finds that its connection is over. Of those who read in the end some may have come to it in time.
    fn end(&mut self) {
        let until = Instant::now() + PATIENCE;
        while self.mutes.len() > 0 {
            let left = self.mutes.len();
            assert!(Instant::now() < until, "{left} of those who did not read go on");
            self.read_late();
            self.mutes.pump(Duration::from_millis(20), |_, _, _| {});
        }
    }
}

#[test]
fn who_does_not_read_is_closed_and_costs_nobody_else() {
    let count = sockets_at_most(scaled(600, 9_000));
    let flags: &[&str] = if is_long() { &[] } else { &["--limits-outbox-age-ms-max", "1000"] };
    let world = World::start(&tenant("demo", '1'), flags);
    let probe = Probe::begin(&world, &world.socket("demo", "quiet"), 100, Kept::No);
    let keeper = Probe::begin(&world, &world.socket("demo", "kept"), 20, Kept::Yes);
    let mut channel = Channel::open(&world, count);
    let both = |window| [&probe, &keeper].iter().for_each(|it| it.enter(window));
    both(Window::Alone);
    pause(seconds(1, 10));
    both(Window::Beside);
    let sent = channel.publish(&world, seconds(6, 15));
    both(Window::Between);
    let until = Instant::now() + PATIENCE;
    while channel.heard.iter().any(|it| *it < sent) {
        assert!(Instant::now() < until, "the readers have {:?} of {sent}", channel.heard);
        channel.read(Duration::from_millis(20));
    }
    channel.end();
    let (seen, kept, peak) = (probe.end(), keeper.end(), world.peak_mib());
    figures(
        "mute",
        &format!(
            "\"mutes\":{count},\"readers\":{READERS},\"messages\":{sent},\"bytes\":{PAYLOAD_BYTES},\
         \"told\":{:?},{seen},\"acknowledged\":{},\"peak_mib\":{peak}",
            channel.told, kept.acknowledged
        ),
    );
    let names = ["outbox_bytes_max", "outbox_age_ms_max", "outbox_total_bytes_max"];
    let is_named = |why: &str| why.starts_with("1013") && names.iter().any(|it| why.contains(it));
    assert!(channel.told.keys().all(|why| is_named(why)), "{:?}", channel.told);
    assert!(!channel.told.is_empty(), "nobody was told why");
    assert_eq!(world.kept("demo", "kept"), kept.acknowledged);
    kept.check(Duration::from_millis(500));
    seen.check(Duration::from_millis(20));
    assert!(peak <= MOST_MIB, "{peak} MiB");
    world.node.kill();
}
