//! Floods of pings: more than may come in a second end their connection, and as many as may come cost nobody else.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use protocol::ws::{Opcode, append_masked};

use super::client::{Client, Frame};
use super::crowd::Crowd;
use super::node::pause;
use super::probe::{Kept, Probe, Window};
use super::socket::Room;
use super::trust::figures;
use super::world::{World, scaled, seconds, tenant};

/// Pings that one connection sends at once.
const BURST: usize = 5_000;
/// Connections that flood at the same time.
const AT_ONCE: usize = 20;
/// The limit of the node.
const PINGS_PER_S_MAX: usize = 20;
/// Resident memory at most.
const MOST_MIB: u64 = 128;

/// So many pings, with something to say again.
fn pings(count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..count {
        append_masked(&mut bytes, Opcode::Ping, b"flood", [0; 4]);
    }
    bytes
}

/// What came of a connection that floods.
#[derive(Default)]
struct Flood {
    /// What it had sent when it began.
    before_bytes: usize,
    pongs: usize,
}

impl Flood {
    /// How much of the flood was sent before the connection was over: what waited to be sent then was not.
    fn sent(&self, client: &Client) -> usize {
        client.sent_bytes - self.before_bytes
    }
}

#[test]
fn a_flood_of_pings_ends_its_connection_and_delays_nobody() {
    let wanted = scaled(50_000, 1_000_000);
    let world = World::start(&tenant("demo", '1'), &[]);
    let (target, quiet) = (world.socket("demo", "pinged"), world.socket("demo", "quiet"));
    let probe = Probe::begin(world.port(), &quiet, 100, Kept::No);
    probe.enter(Window::Alone);
    pause(seconds(1, 10));
    probe.enter(Window::Beside);
    let flood = pings(BURST);
    let one_bytes = flood.len() / BURST;
    let mut crowd = Crowd::new();
    let mut floods = Vec::new();
    let mut ends = BTreeMap::<String, usize>::new();
    let (mut sent, began) = (0, Instant::now());
    while sent < wanted || crowd.len() > 0 {
        assert!(began.elapsed() < Duration::from_mins(3), "{sent} of {wanted} pings");
        while sent < wanted && crowd.len() < AT_ONCE {
            crowd.join(world.port(), &target, Room::Usual);
            floods.push(Flood::default());
        }
        let gone = crowd.pump(Duration::from_millis(10), |place, client, frame| match frame {
            Frame::Text(text) if text.contains("\"subscribed\"") => {
                floods[place].before_bytes = client.sent_bytes;
                client.send(&flood);
            }
            Frame::Pong => floods[place].pongs += 1,
            Frame::Close(code, why) => *ends.entry(format!("{code} {why}")).or_default() += 1,
            Frame::Text(_) | Frame::Head(_) | Frame::Ping(_) | Frame::Other => {}
        });
        sent += gone.iter().map(|(at, it)| floods[*at].sent(it) / one_bytes).sum::<usize>();
    }
    let took = began.elapsed().as_secs_f64();
    // A little longer, so that there is a window even where all of that took no time.
    let polite = politely(&world, &target);
    probe.enter(Window::Between);
    let (seen, peak) = (probe.end(), world.peak_mib());
    let (count, most) = (floods.len(), floods.iter().map(|it| it.pongs).max());
    let most = most.unwrap_or_default();
    figures(
        "pings",
        &format!(
            "\"pings\":{sent},\"seconds\":{took:.1},\"connections\":{count},\"told\":{ends:?},\
         \"pongs_most\":{most},\"polite\":{polite},{seen},\"peak_mib\":{peak}"
        ),
    );
    let told = ends
        .iter()
        .filter(|(why, _)| why.starts_with("1008") && why.contains("control_frames_per_s_max"));
    assert_eq!(told.map(|(_, count)| count).sum::<usize>(), count, "{ends:?}");
    // A second may end within a burst.
    assert!((1..=2 * PINGS_PER_S_MAX).contains(&most), "{most} pongs");
    assert!(peak <= MOST_MIB, "{peak} MiB");
    seen.check(Duration::from_millis(4));
    world.node.kill();
}

/// As many pings as are allowed, on many connections: each is answered. Gives how many there were.
fn politely(world: &World, target: &str) -> usize {
    let count = scaled(20, 500);
    let mut crowd = Crowd::gather(world.port(), count, target, Room::Usual);
    let some = pings(PINGS_PER_S_MAX / 2);
    let rounds = scaled(1, 10);
    let mut pongs = 0;
    let hear = |crowd: &mut Crowd, pongs: &mut usize| {
        crowd.hear_all(Duration::from_millis(20), "polite one", |_, _, frame| {
            *pongs += usize::from(matches!(frame, Frame::Pong));
        });
    };
    let asked = count * rounds * PINGS_PER_S_MAX / 2;
    for _ in 0..rounds {
        let next = Instant::now() + Duration::from_millis(1_100);
        for place in 0..count {
            crowd.tell(place, |it| it.send(&some));
        }
        while Instant::now() < next {
            hear(&mut crowd, &mut pongs);
        }
    }
    let until = Instant::now() + Duration::from_secs(10);
    while pongs < asked && Instant::now() < until {
        hear(&mut crowd, &mut pongs);
    }
    assert_eq!(pongs, asked);
    asked
}
