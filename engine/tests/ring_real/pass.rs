//! A connection that goes from one core to another: its peer notices nothing.

use std::io::Write;
use std::sync::{OnceLock, mpsc};

use engine::ids::ConnId;
use engine::reactor::ring::{Driver, Event, How, KernelRing, RingFd, Settings, Wait};

use crate::support::{Core, PATIENCE, pattern, read_to_end};

const NUMBER: u64 = (1 << 59) + 7;
const BYTES: usize = 300_000;

/// A core that takes one connection which is passed to it, hears so many bytes, and answers with as many.
fn second(bells: &mpsc::Sender<RingFd>, over: &mpsc::Receiver<()>, rest: &mpsc::Receiver<usize>) {
    let mut core = Core::new(Settings::default());
    bells.send(core.driver.bell().target()).unwrap();
    let conn = core.until(|_, event| {
        let Event::Arrived(conn, number) = event else { return None };
        assert_eq!(number, NUMBER);
        Some(conn)
    });
    let mut heard = rest.recv_timeout(PATIENCE).unwrap();
    while heard < BYTES {
        heard += core.until(|driver, event| bytes_of(driver, event, conn, heard));
    }
    let frame = engine::frame::Frame::new(pattern(BYTES, 5));
    core.driver.share(&frame, conn);
    core.driver.close(conn, How::Graceful(None));
    core.closed(conn);
    while over.try_recv().is_err() {
        core.turn();
    }
}

/// Checks what came behind the first so many bytes.
fn bytes_of(
    driver: &mut Driver<KernelRing>,
    event: Event,
    conn: ConnId,
    heard: usize,
) -> Option<usize> {
    let Event::Received(mut received) = event else { return None };
    assert_eq!(received.conn, conn);
    static EXPECTED: OnceLock<Vec<u8>> = OnceLock::new();
    let expected = EXPECTED.get_or_init(|| pattern(BYTES, 3));
    let bytes = driver.bytes(&mut received);
    let count = bytes.len();
    assert!(*bytes == expected[heard..heard + count], "after {heard} bytes");
    driver.give_back(received);
    Some(count)
}

/// The same, or `Some(None)` once the connection is gone.
fn bytes_or_end(
    driver: &mut Driver<KernelRing>,
    event: Event,
    conn: ConnId,
    heard: usize,
) -> Option<Option<usize>> {
    if let Event::Passed(passed) = event {
        return (passed == conn).then_some(None);
    }
    bytes_of(driver, event, conn, heard).map(Some)
}

#[test]
fn a_connection_goes_to_another_core_in_the_middle_of_what_its_peer_sends() {
    for _ in 0..20 {
        let (bells, bell) = mpsc::channel();
        let (end, over) = mpsc::channel();
        let (tell, rest) = mpsc::channel();
        let other = std::thread::spawn(move || second(&bells, &over, &rest));
        let target = bell.recv_timeout(PATIENCE).unwrap();
        let mut core = Core::new(Settings::default());
        let mut stream = core.connect();
        let peer = std::thread::spawn(move || {
            stream.write_all(&pattern(BYTES, 3)).unwrap();
            read_to_end(stream)
        });
        let conn = core.opened();
        let mut heard = core.until(|driver, event| bytes_of(driver, event, conn, 0));
        core.driver.pass(conn, target, NUMBER);
        while let Some(count) = core.until(|driver, event| bytes_or_end(driver, event, conn, heard))
        {
            heard += count;
        }
        tell.send(heard).unwrap();
        while !peer.is_finished() {
            core.turn();
            assert!(core.driver.next().is_none(), "something came of a connection that is gone");
        }
        assert!(peer.join().unwrap() == pattern(BYTES, 5));
        assert_eq!(core.driver.counters().conns, 0);
        end.send(()).unwrap();
        other.join().unwrap();
    }
}

#[test]
fn a_connection_for_which_the_other_core_has_no_room_stays() {
    let (bells, bell) = mpsc::channel();
    let (end, over) = mpsc::channel::<()>();
    let other = std::thread::spawn(move || {
        let mut core = Core::new(Settings { conns_max: 1, ..Settings::default() });
        let _stream = core.connect();
        core.opened();
        bells.send(core.driver.bell().target()).unwrap();
        while over.try_recv().is_err() {
            core.driver.submit_and_wait(Wait::Poll).unwrap();
            core.driver.reap(0);
            assert!(core.driver.next().is_none(), "something came");
        }
    });
    let target = bell.recv_timeout(PATIENCE).unwrap();
    let mut core = Core::new(Settings::default());
    let stream = core.connect();
    let conn = core.opened();
    core.driver.pass(conn, target, 1);
    core.until(|_, event| matches!(event, Event::Stayed(stayed) if stayed == conn).then_some(()));
    let frame = engine::frame::Frame::new(pattern(1000, 1));
    core.driver.share(&frame, conn);
    core.driver.close(conn, How::Graceful(None));
    core.closed(conn);
    let peer = std::thread::spawn(move || read_to_end(stream));
    core.while_running(&peer);
    assert!(peer.join().unwrap() == pattern(1000, 1));
    end.send(()).unwrap();
    other.join().unwrap();
}
