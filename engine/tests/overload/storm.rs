//! Everybody is cut at once and comes back at once, behind the last message that each of them has.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::bare::Bare;
use super::client::{Client, Frame};
use super::crowd::Crowd;
use super::probe::{Kept, Probe, Seen, Window};
use super::publisher::{CHANNELS, Publisher};
use super::socket::Room;
use super::trust::{figures, is_long};
use super::turns::in_turns;
use super::world::{World, scaled, seconds, sockets_at_most, tenant};

/// Connections that are asked for in a row before somebody looks what came of them.
const AT_ONCE: usize = 100;
/// How much of what each heard is kept.
const TOLD: usize = 8;
const TOLD_CHARS: usize = 120;
/// How long a storm may last.
const PATIENCE: Duration = Duration::from_mins(1);
/// Time in which 99 of 100 listen again.
const BACK: Duration = Duration::from_secs(10);
/// Resident memory at most.
const MOST_MIB: u64 = 384;

/// Everybody: each listens to one channel.
struct Everybody {
    crowd: Crowd,
    ears: Ears,
    target: String,
}

/// What everybody heard.
struct Ears {
    /// The last offset of each.
    last: Vec<u64>,
    /// How many listen.
    back: usize,
    /// Who was told that it does not get what it missed, and in which words.
    gapped: Vec<String>,
    /// The beginnings of the last frames of each, for whoever has to find out why one is missing.
    heard: Vec<VecDeque<String>>,
}

impl Everybody {
    fn new(target: String, count: usize) -> Self {
        let heard = vec![VecDeque::new(); count];
        let ears = Ears { last: vec![0; count], back: 0, gapped: Vec::new(), heard };
        Self { crowd: Crowd::new(), ears, target }
    }

    /// Cuts all of them without a word.
    fn cut(&mut self) {
        (self.crowd, self.ears.back) = (Crowd::new(), 0);
    }

    /// All of them come. Gives when 99 of 100 listened, and when all did.
    fn come(&mut self, port: u16) -> (Duration, Duration) {
        let (began, count) = (Instant::now(), self.ears.last.len());
        let (mut most, mut asked) = (None, 0);
        while self.ears.back < count {
            assert!(began.elapsed() < PATIENCE, "{} of {count} are back", self.ears.back);
            let more = AT_ONCE.min(count - asked);
            for _ in 0..more {
                self.crowd.join(port, &self.target, Room::Usual);
            }
            asked += more;
            let wait = if more > 0 { Duration::ZERO } else { Duration::from_millis(20) };
            self.hear(wait);
            if self.ears.back * 100 >= count * 99 {
                most = most.or_else(|| Some(began.elapsed()));
            }
        }
        (most.unwrap(), began.elapsed())
    }

    /// So many storms, each after a rest. Gives when 99 of 100 and when all were back after the slowest.
    fn storm(&mut self, times: usize, probe: &Probe, port: u16) -> (Duration, Duration) {
        let mut worst = (Duration::ZERO, Duration::ZERO);
        for _ in 0..times {
            probe.enter(Window::Alone);
            let rest = Instant::now() + seconds(1, 2);
            while Instant::now() < rest {
                self.hear(Duration::from_millis(5));
            }
            probe.enter(Window::Beside);
            self.cut();
            let times = self.come(port);
            probe.enter(Window::Between);
            worst = (worst.0.max(times.0), worst.1.max(times.1));
        }
        worst
    }

    fn hear(&mut self, patience: Duration) {
        let Self { crowd, ears, .. } = self;
        crowd.hear_all(patience, "client", |place, client, frame| ears.hear(place, client, &frame));
    }
}

impl Ears {
    fn hear(&mut self, place: usize, client: &mut Client, frame: &Frame) {
        note(&mut self.heard[place], frame);
        match frame {
            Frame::Text(text) => self.hear_text(place, client, text),
            Frame::Head(head) => assert!(head.starts_with("HTTP/1.1 101"), "{head}"),
            Frame::Close(..) | Frame::Ping(_) | Frame::Pong | Frame::Other => {}
        }
    }

    fn hear_text(&mut self, place: usize, client: &mut Client, text: &str) {
        let last = &mut self.last[place];
        if text.contains("\"type\":\"connected\"") {
            let after = if *last > 0 { format!(",\"after\":{last}") } else { String::new() };
            let channel = place % CHANNELS;
            client
                .say(&format!("{{\"type\":\"subscribe\",\"channel\":\"storm{channel}\"{after}}}"));
        } else if text.contains("\"type\":\"subscribed\"") {
            self.back += 1;
            let is_gapped = *last > 0 && !text.contains("\"recovered\":true");
            if is_gapped {
                self.gapped.push(format!("client {place} behind {last}: {text}"));
            }
            if is_gapped || *last == 0 {
                *last = field(text, "position").unwrap_or_default();
            }
        } else if text.contains("\"type\":\"message\"") {
            let offset = field(text, "offset").unwrap();
            assert_eq!(offset, *last + 1, "client {place} heard {:?}", self.heard[place]);
            *last = offset;
        } else {
            assert!(!text.contains("\"error\""), "{text}");
        }
    }
}

fn note(heard: &mut VecDeque<String>, frame: &Frame) {
    let text = match frame {
        Frame::Text(text) => text.chars().take(TOLD_CHARS).collect(),
        Frame::Head(_) => "a new connection".to_owned(),
        Frame::Close(..) | Frame::Ping(_) | Frame::Pong | Frame::Other => return,
    };
    if heard.len() == TOLD {
        heard.pop_front();
    }
    heard.push_back(text);
}

/// A number of a frame.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.split(&format!("\"{name}\":")).nth(1)?;
    rest.split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()
}

#[test]
fn everybody_comes_back_at_once_and_nobody_misses_anything() {
    let count = sockets_at_most(scaled(400, 8_000));
    in_turns("storm", || beside_a_bare_server(count), || beside_a_node(count));
}

fn beside_a_node(count: usize) -> Seen {
    let world = World::start(&tenant("demo", '1'), &[]);
    let quiet = world.socket("demo", "quiet");
    let publisher = Publisher::begin(world.port(), &world.infrai_socket("demo"));
    let mut everybody = Everybody::new(world.infrai_socket("demo"), count);
    everybody.come(world.port());
    let probe = Probe::begin(world.port(), &quiet, 100, Kept::No);
    let storms = scaled(1, 10);
    let worst = everybody.storm(storms, &probe, world.port());
    let (published, seen) = (publisher.end(), probe.end());
    let until = Instant::now() + PATIENCE;
    let has_all =
        |it: &Everybody| (0..count).all(|at| it.ears.last[at] == published.last[at % CHANNELS]);
    while !has_all(&everybody) {
        assert!(Instant::now() < until, "somebody misses something: {:?}", published.last);
        everybody.hear(Duration::from_millis(20));
    }
    let peak = world.peak_mib();
    figures(
        "storm",
        &format!(
            "\"clients\":{count},\"storms\":{storms},\"back_99_s\":{:.2},\"back_all_s\":{:.2},\
         \"acknowledged\":{},\"gapped\":{},{seen},\"peak_mib\":{peak}",
            worst.0.as_secs_f64(),
            worst.1.as_secs_f64(),
            published.acknowledged,
            everybody.ears.gapped.len()
        ),
    );
    let gapped = &everybody.ears.gapped;
    assert!(gapped.is_empty(), "{} did not get what they missed: {}", gapped.len(), gapped[0]);
    assert!(published.acknowledged > 20, "little was published");
    assert!(peak <= MOST_MIB, "{peak} MiB");
    assert!(!is_long() || worst.0 <= BACK, "{:?}", worst.0);
    seen.check_all();
    world.node.kill();
    seen
}

/// The same beside a server that does no more than it must: nobody is told what it missed.
fn beside_a_bare_server(count: usize) -> Seen {
    let bare = Bare::start(PATIENCE);
    let target = "/?channel=storm";
    let publisher = Publisher::begin(bare.port, target);
    let mut everybody = Everybody::new(target.to_owned(), count);
    everybody.come(bare.port);
    let probe = Probe::begin(bare.port, "/?channel=quiet", 100, Kept::No);
    everybody.storm(scaled(1, 10), &probe, bare.port);
    let seen = probe.end();
    publisher.end();
    seen.check_all();
    bare.end();
    seen
}
