//! A node with little memory under far more sockets, waiting bytes and messages than fit: it gives up what it has to, in order, and the
//! kernel never ends it.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::cgroup::Cgroup;
use super::client::{hear, kept, listen, publish, token};
use super::descriptors::wait_until_served;
use super::node::Node;
use super::raw::Raw;
use super::tight::{little, node};
use super::trust;

const MIB: u64 = 1 << 20;
const MEMORY: u64 = 512 * MIB;
/// In the tests of every day: enough that every kind of load is there.
const FEW: u64 = 300;
const MANY: u64 = 10_000;
const MESSAGE_BYTES: usize = 48_000;
const PUBLISHERS: usize = 4;
const LIMIT: &str = "memory_bytes_max";
/// In short whoever does not read is neither closed nor pinged, however slow the machine: all are asked for their messages in the end.
const PATIENT: [&str; 4] =
    ["--limits-outbox-age-ms-max", "3600000", "--limits-ping-interval-ms", "3600000"];

/// How many sockets come.
fn sockets() -> usize {
    usize::try_from(trust::rounds(FEW, MANY)).unwrap()
}

/// Sockets that listen and do not read. Returns them, and how many were refused by name.
fn listeners(node: &Node, count: usize, token: &str) -> (Vec<Raw>, usize) {
    let (mut inside, mut refused) = (Vec::new(), 0);
    for number in 0..count {
        let mut raw = little(node);
        match listen(&mut raw, &format!("crowd{number}"), token) {
            Some(found) if found.status == 101 => inside.push(raw),
            Some(found) => {
                assert!(found.wants(LIMIT), "{} {}", found.head, found.body);
                refused += 1;
            }
            None => refused += 1,
        }
    }
    (inside, refused)
}

/// Where servers come, and with what.
struct Door {
    address: String,
    key: String,
}

/// What servers were answered.
struct Published {
    acked: Vec<(usize, usize)>,
    refused: usize,
}

/// Publishes to each of these channels in turn, `rounds` times; their listeners have more waiting with each.
fn publish_to(door: &Door, channels: std::ops::Range<usize>, rounds: usize) -> Published {
    let mut all = Published { acked: channels.map(|it| (it, 0)).collect(), refused: 0 };
    let mut raw = Raw::to(&door.address);
    for _ in 0..rounds {
        for (number, acked) in &mut all.acked {
            match publish(&mut raw, &door.key, &format!("crowd{number}"), MESSAGE_BYTES) {
                Some(found) if found.status == 200 => *acked += 1,
                Some(found) => {
                    assert!(found.wants(LIMIT), "{} {}", found.head, found.body);
                    all.refused += 1;
                }
                None => {
                    all.refused += 1;
                    raw = Raw::to(&door.address);
                }
            }
        }
    }
    all
}

/// Servers that send most of a large body, and then nothing.
fn hogs(door: &Door, count: usize) -> Vec<TcpStream> {
    let head = format!(
        "POST /edge/realtime?key={} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
        door.key
    );
    let part = [head.into_bytes(), vec![b'x'; 900_000]].concat();
    let send = |_| {
        let mut stream = TcpStream::connect(&door.address).unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let _ = stream.write_all(&part); // one that is cut takes no more
        stream
    };
    (0..count).map(send).collect()
}

#[test]
fn a_node_in_little_memory_sheds_and_is_never_killed() {
    let Some(group) = Cgroup::new("little memory", MEMORY) else { return };
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let short: &[&str] = if trust::is_long() { &[] } else { &PATIENT };
    let node = node(folder.path(), &group.join_line(), &[&["--shards", "2"], short].concat());
    let count = sockets();
    let token = token(&node);
    let (mut inside, refused) = listeners(&node, count, &token);
    // In short nothing is over the bound; in full every listener has more waiting than there is memory for.
    let rounds = if trust::is_long() { 6 } else { 2 };
    let door = &Door { address: node.address().to_string(), key: node.key().to_owned() };
    let (published, bodies) = thread::scope(|scope| {
        let bodies = scope.spawn(|| hogs(door, count / 10));
        let share = count.div_ceil(PUBLISHERS);
        #[expect(clippy::needless_collect, reason = "all begin before one is waited for")]
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|it| share * it..count.min(share * (it + 1)))
            .map(|it| scope.spawn(move || publish_to(door, it, rounds)))
            .collect();
        let published: Vec<_> = publishers.into_iter().map(|it| it.join().unwrap()).collect();
        (published, bodies.join().unwrap())
    });
    let acked_of: Vec<_> = published.iter().flat_map(|it| it.acked.iter().copied()).collect();
    let not_taken: usize = published.iter().map(|it| it.refused).sum();
    let acked: usize = acked_of.iter().map(|it| it.1).sum();
    assert_eq!(group.kills(), 0, "the kernel ended it");
    let listeners = inside.len();
    if !trust::is_long() {
        assert_eq!((listeners, refused, not_taken), (count, 0, 0), "refused with memory to spare");
        assert_eq!(acked, count * rounds);
        inside.iter_mut().for_each(|it| hear(it, rounds));
    }
    assert!(listeners > 0 && acked > 0, "nobody was served");
    drop((inside, bodies));
    wait_until_served(&node);
    let mut lost = 0;
    for (number, acked) in acked_of.iter().step_by(1 + count / 500) {
        lost += acked.saturating_sub(kept(&node, &format!("crowd{number}")));
    }
    assert_eq!(lost, 0, "acknowledged and not kept");
    let kills = group.kills();
    let log = node.stop_and_read();
    let times = |what: &str| log.matches(what).count();
    let levels = [
        times("memory: new connections are refused"),
        times("memory: messages are refused too"),
        times("memory: slow consumers are closed too"),
        times("memory suffices again"),
    ];
    assert!(
        !trust::is_long() || (levels[..3].iter().sum::<usize>() > 0 && levels[3] > 0),
        "{levels:?}"
    );
    let told = format!(
        r#""memory_mib":{},"peak_mib":{},"sockets":{listeners},"sockets_refused":{refused},"acknowledged":{acked},"refused":{},"acknowledged_lost":{lost},"kills":{kills},"levels":{levels:?},"seconds":{:.0}"#,
        MEMORY / MIB,
        group.peak_bytes() / MIB,
        not_taken,
        began.elapsed().as_secs_f64()
    );
    trust::figures("little memory", &told);
}
