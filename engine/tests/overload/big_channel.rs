//! One channel with everybody in it, beside quiet ones.

use std::time::{Duration, Instant};

use super::client::Frame;
use super::crowd::Crowd;
use super::http::Http;
use super::node::pause;
use super::probe::{Kept, Probe, Window, number};
use super::socket::Room;
use super::trust::figures;
use super::world::{World, scaled, seconds, sockets_at_most, tenant};

/// Messages a second to everybody.
const PER_S: u32 = 5;
/// Resident memory at most.
const MOST_MIB: u64 = 256;

/// Everybody, and the last number that each has.
struct Everybody {
    crowd: Crowd,
    heard: Vec<u64>,
    deliveries: u64,
}

impl Everybody {
    fn hear(&mut self, patience: Duration) {
        let Self { crowd, heard, deliveries } = self;
        let gone = crowd.pump(patience, |place, _, frame| match frame {
            Frame::Text(text) => {
                assert_eq!(number(&text), heard[place] + 1, "listener {place}");
                heard[place] += 1;
                *deliveries += 1;
            }
            Frame::Close(code, why) => panic!("listener {place} was closed: {code} {why}"),
            Frame::Head(_) | Frame::Ping(_) | Frame::Pong | Frame::Other => {}
        });
        assert!(gone.is_empty(), "{} are gone", gone.len());
    }

    /// Publishes to all of them for a while. Gives the number of the last message.
    fn shout(&mut self, world: &World, mut last: u64, time: Duration) -> u64 {
        let mut http = Http::open(world.port()).unwrap();
        let path = world.keyed("demo", "");
        let (began, every, first) = (Instant::now(), Duration::from_secs(1) / PER_S, last);
        while began.elapsed() < time {
            if began.elapsed() >= every * u32::try_from(last - first).unwrap() {
                last += 1;
                let body = format!(
                    "{{\"channel\":\"big\",\"event\":\"m\",\"persist\":false,\"data\":{{\"n\":{last}}}}}"
                );
                assert!(http.ask(&path, None, Some(&body)));
                assert_eq!(http.answer().unwrap().status, 200);
            }
            self.hear(Duration::from_millis(2));
        }
        let until = Instant::now() + Duration::from_secs(20);
        while self.heard.iter().any(|it| *it < last) {
            assert!(Instant::now() < until, "not everybody has message {last}");
            self.hear(Duration::from_millis(20));
        }
        last
    }
}

#[test]
fn a_channel_with_everybody_does_not_hold_up_quiet_ones() {
    let count = sockets_at_most(scaled(400, 9_000));
    let world = World::start(&tenant("demo", '1'), &[]);
    let (big, quiet) = (world.socket("demo", "big"), world.socket("demo", "quiet"));
    let crowd = Crowd::gather(world.port(), count, &big, Room::Usual);
    let mut everybody = Everybody { crowd, heard: vec![0; count], deliveries: 0 };
    let probe = Probe::begin(&world, &quiet, 100, Kept::No);
    let mut last = 0;
    for _ in 0..scaled(1, 3) {
        probe.enter(Window::Alone);
        pause(seconds(1, 5));
        probe.enter(Window::Beside);
        last = everybody.shout(&world, last, seconds(2, 10));
    }
    let (seen, peak) = (probe.end(), world.peak_mib());
    figures(
        "big channel",
        &format!(
            "\"listeners\":{count},\"per_s\":{PER_S},\"messages\":{last},\"deliveries\":{},\
         {seen},\"peak_mib\":{peak}",
            everybody.deliveries
        ),
    );
    assert_eq!(everybody.deliveries, last * count as u64);
    assert!(peak <= MOST_MIB, "{peak} MiB");
    seen.check(Duration::from_millis(10));
    world.node.kill();
}
