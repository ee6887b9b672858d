//! How connections end.

use std::io::{Read, Write};
use std::time::Instant;

use engine::frame::Frame;
use engine::reactor::ring::{Event, How, Settings, Why};

use crate::support::{Core, PATIENCE, pattern, read_to_end};

#[test]
fn a_half_closed_peer_still_reads() {
    let mut core = Core::new(Settings::default());
    let stream = core.connect();
    let conn = core.opened();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    core.until(|_, event| matches!(event, Event::PeerClosed(peer) if peer == conn).then_some(()));
    core.driver.share(&Frame::new(b"answer".to_vec()), conn);
    core.driver.close(conn, How::Graceful(None));
    assert_eq!(core.closed(conn), Why::Ours);
    core.turn();
    assert_eq!(read_to_end(stream), b"answer");
}

#[test]
fn a_refusal_is_read_although_the_request_was_not() {
    let mut core = Core::new(Settings::default());
    let mut stream = core.connect();
    let conn = core.opened();
    stream.write_all(&pattern(100_000, 1)).unwrap();
    core.driver.close(conn, How::Linger(Some(Frame::new(b"413".to_vec()))));
    let peer = std::thread::spawn(move || {
        let mut answer = [0; 3];
        stream.read_exact(&mut answer).unwrap();
        stream.write_all(&pattern(100_000, 2)).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        (answer, rest.len())
    });
    assert_eq!(core.closed(conn), Why::Ours);
    core.while_running(&peer);
    assert_eq!(peer.join().unwrap(), (*b"413", 0));
}

#[test]
fn lingering_ends_with_its_time() {
    let mut core = Core::new(Settings::default());
    let _stream = core.connect();
    let conn = core.opened();
    core.driver.close(conn, How::Linger(None));
    core.turn();
    core.turn();
    let now_ms = core.now_ms();
    core.driver.sweep(now_ms);
    core.turn();
    assert_eq!(core.driver.counters().conns, 1);
    core.now_offset_ms += 1_100;
    let now_ms = core.now_ms();
    core.driver.sweep(now_ms);
    assert_eq!(core.closed(conn), Why::Ours);
}

#[test]
fn closing_now_drops_what_waits_and_a_reset_is_told() {
    let mut core = Core::new(Settings::default());
    let (first, second) = (core.connect(), core.connect());
    let (a, b) = (core.opened(), core.opened());
    core.driver.close(a, How::Now);
    core.driver.close(a, How::Graceful(None));
    assert_eq!(core.closed(a), Why::Ours);
    core.turn();
    assert!(read_to_end(first).is_empty());
    // Unread bytes turn the peer's close into a reset.
    core.driver.share(&Frame::new(b"unread".to_vec()), b);
    core.turn();
    core.turn();
    second.peek(&mut [0; 6]).unwrap();
    drop(second);
    assert_eq!(core.closed(b), Why::Failed(104));
    core.driver.share(&Frame::new(b"too late".to_vec()), b);
    core.turn();
}

#[test]
fn what_waits_for_a_crowd_that_ends_is_free_before_its_last_is_let_go() {
    let mut core = Core::new(Settings { comings_per_turn_max: 1, ..Settings::default() });
    let streams: Vec<_> = (0..50).map(|_| core.connect()).collect();
    let conns: Vec<_> = streams.iter().map(|_| core.opened()).collect();
    let frame = Frame::new(pattern(1 << 20, 1));
    conns.iter().for_each(|conn| core.driver.share(&frame, *conn));
    (0..3).for_each(|_| core.turn());
    assert!(core.driver.counters().backlog_bytes > 1 << 20);
    conns.iter().for_each(|conn| core.driver.close(*conn, How::Now));
    let begin = Instant::now();
    while core.driver.counters().backlog_bytes > 0 {
        core.turn();
        assert!(begin.elapsed() < PATIENCE);
    }
    assert!(core.driver.counters().conns > 10, "they were let go before");
}
