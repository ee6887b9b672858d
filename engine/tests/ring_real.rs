//! The driver on the real kernel, over loopback: echo, fan-out, slow readers, closing, waking, running out of slots.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may stop at the first surprise, and it is its own clock"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use engine::frame::{Frame, Piece};
use engine::ids::ConnId;
use engine::outbox::OutboxLimits;
use engine::reactor::ring::{Bell, Driver, Event, How, KernelRing, Settings, Wait, Why};

const PATIENCE: Duration = Duration::from_secs(10);

struct Core {
    driver: Driver<KernelRing>,
    begin: Instant,
    now_offset_ms: u64,
}

impl Core {
    fn new(settings: Settings) -> Self {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let driver = Driver::start(any, settings).unwrap();
        Self { driver, begin: Instant::now(), now_offset_ms: 0 }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.driver.local_address().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap() + self.now_offset_ms
    }

    fn turn(&mut self) {
        self.driver.submit_and_wait(Wait::For(Duration::from_millis(5))).unwrap();
        let now_ms = self.now_ms();
        self.driver.reap(now_ms);
    }

    /// Takes turns until an event is what the caller waits for.
    fn until<T>(&mut self, mut want: impl FnMut(&mut Driver<KernelRing>, Event) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            self.turn();
            if let Some(found) = self.first(&mut want) {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "nothing came: {:?}", self.driver.counters());
        }
    }

    fn first<T>(
        &mut self,
        want: &mut impl FnMut(&mut Driver<KernelRing>, Event) -> Option<T>,
    ) -> Option<T> {
        while let Some(event) = self.driver.next() {
            let found = want(&mut self.driver, event);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn opened(&mut self) -> ConnId {
        self.until(|_, event| if let Event::Opened(conn) = event { Some(conn) } else { None })
    }

    fn closed(&mut self, conn: ConnId) -> Why {
        self.until(|_, event| match event {
            Event::Closed(closed, why) if closed == conn => Some(why),
            Event::Opened(_)
            | Event::Received(_)
            | Event::PeerClosed(_)
            | Event::Overrun(_)
            | Event::Closed(..)
            | Event::Doorbell => None,
        })
    }

    /// Takes turns until the peer's thread is done.
    fn while_running<T>(&mut self, peer: &std::thread::JoinHandle<T>) {
        while !peer.is_finished() {
            self.turn();
            while self.driver.next().is_some() {}
        }
    }
}

fn read_to_end(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at * 31 + seed + at / 251) % 256).unwrap()).collect()
}

#[test]
fn what_comes_in_can_go_out() {
    let mut core = Core::new(Settings::default());
    let mut stream = core.connect();
    let conn = core.opened();
    let sent = pattern(300_000, 1);
    let expected = sent.clone();
    let peer = std::thread::spawn(move || {
        let mut reader = stream.try_clone().unwrap();
        let writer = std::thread::spawn(move || stream.write_all(&sent).unwrap());
        let mut back = vec![0; expected.len()];
        reader.read_exact(&mut back).unwrap();
        writer.join().unwrap();
        assert!(back == expected);
    });
    while !peer.is_finished() {
        core.turn();
        while let Some(event) = core.driver.next() {
            if let Event::Received(mut received) = event {
                let copy = core.driver.bytes(&mut received).to_vec();
                core.driver.give_back(received);
                core.driver.share(&Frame::new(copy), conn);
            }
        }
    }
    peer.join().unwrap();
    core.driver.close(conn, How::Graceful(None));
    assert!(matches!(core.closed(conn), Why::Ours | Why::Failed(_)));
}

#[test]
fn one_frame_reaches_two_hundred_peers_in_one_submission() {
    let mut core = Core::new(Settings::default());
    let streams: Vec<_> = (0..200).map(|_| core.connect()).collect();
    let conns: Vec<_> = streams.iter().map(|_| core.opened()).collect();
    let rounds: Vec<Vec<u8>> = (0..20).map(|round| pattern(100 + round, round)).collect();
    let before = core.driver.counters();
    for round in &rounds {
        let frame = Frame::new(round.clone());
        conns.iter().for_each(|&conn| core.driver.share(&frame, conn));
        core.driver.submit_and_wait(Wait::Poll).unwrap();
        let now_ms = core.now_ms();
        core.driver.reap(now_ms);
    }
    let after = core.driver.counters();
    assert_eq!(after.sends - before.sends, 200 * 20);
    assert_eq!(after.sends_short, 0);
    assert_eq!(after.enters - before.enters, 20, "one call a turn");
    let expected = rounds.concat();
    conns.iter().for_each(|&conn| core.driver.close(conn, How::Graceful(None)));
    let mut closed = 0;
    core.until(|_, event| {
        closed += usize::from(matches!(event, Event::Closed(_, Why::Ours)));
        (closed == 200).then_some(())
    });
    core.turn();
    for stream in streams {
        assert!(read_to_end(stream) == expected);
    }
    assert_eq!(core.driver.counters().conns, 0);
}

#[test]
fn pieces_of_one_connection_arrive_in_order_however_many() {
    let mut core = Core::new(Settings::default());
    let stream = core.connect();
    let conn = core.opened();
    let frame = Frame::new(pattern(4000, 3));
    let pieces: Vec<Piece> =
        (0..200).map(|at| frame.piece(at * 20..(at + 1) * 20).unwrap()).collect();
    core.driver.gather(conn, &pieces[..1]);
    core.driver.gather(conn, &pieces[1..150]);
    core.driver.share(&Frame::new(pattern(7, 9)), conn);
    core.driver.gather(conn, &pieces[150..]);
    core.driver.close(conn, How::Graceful(Some(Frame::new(b"end".to_vec()))));
    assert_eq!(core.closed(conn), Why::Ours);
    core.turn();
    let mut expected = frame.bytes()[..3000].to_vec();
    expected.extend(pattern(7, 9));
    expected.extend(&frame.bytes()[3000..]);
    expected.extend(b"end");
    assert!(read_to_end(stream) == expected);
}

#[test]
fn a_backlog_drains_when_the_peer_reads_again() {
    let outbox = OutboxLimits { bytes_max: 64 << 20, age_ms_max: 60_000 };
    let mut core = Core::new(Settings { outbox, ..Settings::default() });
    let stream = core.connect();
    let conn = core.opened();
    let mut expected = Vec::new();
    for round in 0..600 {
        let bytes = pattern(16_000 + round, round);
        expected.extend(&bytes);
        core.driver.share(&Frame::new(bytes), conn);
        core.driver.submit_and_wait(Wait::Poll).unwrap();
        let now_ms = core.now_ms();
        core.driver.reap(now_ms);
    }
    let counters = core.driver.counters();
    assert!(counters.backlog_bytes > 1 << 20, "the peer was too fast: {counters:?}");
    core.driver.close(conn, How::Graceful(None));
    let peer = std::thread::spawn(move || assert!(read_to_end(stream) == expected));
    assert_eq!(core.closed(conn), Why::Ours);
    core.while_running(&peer);
    peer.join().unwrap();
    assert_eq!(core.driver.counters().backlog_bytes, 0);
}

#[test]
fn a_slow_reader_overruns_and_gets_whole_pieces_and_the_last_words() {
    let mut core = Core::new(Settings::default());
    let stream = core.connect();
    let conn = core.opened();
    let piece = pattern(10_000, 5);
    let frame = Frame::new(piece.clone());
    loop {
        core.driver.share(&frame, conn);
        core.driver.submit_and_wait(Wait::Poll).unwrap();
        let now_ms = core.now_ms();
        core.driver.reap(now_ms);
        if let Some(Event::Overrun(over)) = core.driver.next() {
            assert_eq!(over, conn);
            break;
        }
    }
    core.driver.close(conn, How::Graceful(Some(Frame::new(b"bye".to_vec()))));
    let peer = std::thread::spawn(move || read_to_end(stream));
    assert_eq!(core.closed(conn), Why::Cut);
    core.while_running(&peer);
    let got = peer.join().unwrap();
    let (body, last) = got.split_at(got.len() - 3);
    assert_eq!(last, b"bye");
    assert!(body.chunks(10_000).all(|chunk| chunk == piece), "a piece was cut");
    assert_eq!(core.driver.counters().overruns, 1);
}

#[test]
fn a_reader_that_never_reads_is_stale_and_then_forced_out() {
    let mut core = Core::new(Settings::default());
    let stream = core.connect();
    let conn = core.opened();
    let frame = Frame::new(vec![1; 100_000]);
    while core.driver.counters().backlog_bytes == 0 {
        core.driver.share(&frame, conn);
        core.driver.submit_and_wait(Wait::Poll).unwrap();
        core.driver.reap(1);
    }
    core.driver.sweep(10_001);
    assert!(core.driver.next().is_none(), "as old as may be");
    core.driver.sweep(10_002);
    assert!(matches!(core.driver.next(), Some(Event::Overrun(_))));
    core.driver.close(conn, How::Graceful(Some(Frame::new(b"bye".to_vec()))));
    core.driver.sweep(15_001);
    core.now_offset_ms = 15_002;
    core.turn();
    assert_eq!(core.driver.counters().conns, 1, "grace is not over");
    core.driver.sweep(15_002);
    assert_eq!(core.closed(conn), Why::Forced);
    core.turn();
    drop(stream);
}

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
fn a_connection_that_floods_holds_only_its_share() {
    let settings = Settings { buffers: 64, held_max: 8, ..Settings::default() };
    let mut core = Core::new(settings);
    let mut flood = core.connect();
    let flooded = core.opened();
    let sent = pattern(2_000_000, 4);
    let expected = sent.clone();
    let peer = std::thread::spawn(move || {
        flood.write_all(&sent).unwrap();
        flood
    });
    let mut quiet = core.connect();
    quiet.write_all(b"me too").unwrap();
    // The core takes nothing of the flood for a while; the quiet one gets through all the same.
    let mut kept = Vec::new();
    core.until(|driver, event| {
        let Event::Received(mut received) = event else { return None };
        if received.conn == flooded {
            kept.push(received);
            return None;
        }
        assert_eq!(driver.bytes(&mut received), b"me too");
        driver.give_back(received);
        Some(())
    });
    let mut got = Vec::new();
    while got.len() < expected.len() {
        for mut received in kept.drain(..) {
            got.extend_from_slice(core.driver.bytes(&mut received));
            core.driver.give_back(received);
        }
        core.turn();
        while let Some(event) = core.driver.next() {
            if let Event::Received(received) = event {
                kept.push(received);
            }
        }
    }
    assert!(got == expected);
    drop(peer.join().unwrap());
    let counters = core.driver.counters();
    assert!(counters.receive_pauses > 0, "{counters:?}");
    assert_eq!(counters.buffers_lent, 0);
}

#[test]
fn without_buffers_receiving_waits_and_goes_on() {
    let settings = Settings { buffers: 2, buffer_bytes: 64, ..Settings::default() };
    let mut core = Core::new(settings);
    let mut streams: Vec<_> = (0..20).map(|_| core.connect()).collect();
    streams.iter_mut().for_each(|stream| stream.write_all(&pattern(1_000, 6)).unwrap());
    let mut got = 0;
    core.until(|driver, event| {
        if let Event::Received(received) = event {
            got += received.len();
            driver.give_back(received);
        }
        (got == 20_000).then_some(())
    });
    assert!(core.driver.counters().buffers_lacking > 0);
}

#[test]
fn without_slots_accepting_pauses_and_goes_on() {
    let mut core = Core::new(Settings { conns_max: 3, ..Settings::default() });
    let _streams: Vec<_> = (0..3).map(|_| core.connect()).collect();
    let conns: Vec<_> = (0..3).map(|_| core.opened()).collect();
    let refused = core.connect();
    while core.driver.counters().accept_pauses == 0 {
        core.turn();
    }
    drop(refused);
    let _waiting = core.connect();
    core.driver.close(conns[1], How::Now);
    assert_eq!(core.closed(conns[1]), Why::Ours);
    let next = core.opened();
    assert_eq!((next.slot, next.generation), (conns[1].slot, conns[1].generation + 1));
    core.driver.share(&Frame::new(b"stale".to_vec()), conns[1]);
    core.turn();
    assert_eq!(core.driver.counters().sends, 0, "the former owner's id reaches nobody");
}

#[test]
fn a_core_that_stopped_accepting_refuses() {
    let mut core = Core::new(Settings::default());
    let address = core.driver.local_address().unwrap();
    let mut stream = core.connect();
    let conn = core.opened();
    core.driver.stop_accepting();
    let begin = Instant::now();
    while TcpStream::connect(address).is_ok() {
        core.turn();
        assert!(begin.elapsed() < PATIENCE);
    }
    core.driver.share(&Frame::new(b"still here".to_vec()), conn);
    core.turn();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"still here");
}

/// One core of two that pass a number back and forth, sleeping in between.
fn volley(mine: &AtomicU64, other: &AtomicU64, bells: &(mpsc::Sender<Bell>, mpsc::Receiver<Bell>)) {
    let mut core = Core::new(Settings::default());
    bells.0.send(core.driver.bell()).unwrap();
    let bell = bells.1.recv().unwrap();
    let (mut seen, mut longest) = (0, Duration::ZERO);
    while seen < 2_000 {
        core.driver.doze();
        let wait = if mine.load(Ordering::Acquire) == seen {
            Wait::For(Duration::from_secs(5))
        } else {
            Wait::Poll
        };
        let begin = Instant::now();
        core.driver.submit_and_wait(wait).unwrap();
        longest = longest.max(begin.elapsed());
        core.driver.reap(0);
        while core.driver.next().is_some() {}
        let value = mine.load(Ordering::Acquire);
        if value > seen {
            seen = value;
            other.fetch_add(1, Ordering::Release);
            core.driver.ring(&bell);
        }
    }
    core.driver.submit_and_wait(Wait::Poll).unwrap();
    assert!(longest < Duration::from_secs(4), "a wake-up was lost");
    // The last message may still be on its way into the other ring: that ring stays open until both are done.
    bells.0.send(bell).unwrap();
    bells.1.recv().unwrap();
}

#[test]
fn two_cores_wake_each_other() {
    let (a, b) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicU64::new(0)));
    let (to_b, from_a) = mpsc::channel();
    let (to_a, from_b) = mpsc::channel();
    let (a2, b2) = (Arc::clone(&a), Arc::clone(&b));
    let first = std::thread::spawn(move || volley(&a, &b, &(to_b, from_b)));
    let second = std::thread::spawn(move || volley(&b2, &a2, &(to_a, from_a)));
    first.join().unwrap();
    second.join().unwrap();
}

#[test]
fn a_thread_without_a_ring_wakes_a_core_every_time() {
    let mut core = Core::new(Settings::default());
    let waker = core.driver.waker();
    let lane = Arc::new(AtomicU64::new(0));
    let done = Arc::new(AtomicU64::new(0));
    let (theirs, seen_by_us) = (Arc::clone(&lane), Arc::clone(&done));
    let peer = std::thread::spawn(move || {
        for round in 1..=2_000 {
            theirs.store(round, Ordering::Release);
            waker.wake();
            while seen_by_us.load(Ordering::Acquire) < round {
                std::hint::spin_loop();
            }
        }
    });
    let mut seen = 0;
    while seen < 2_000 {
        core.driver.doze();
        let wait = if lane.load(Ordering::Acquire) == seen {
            Wait::For(Duration::from_secs(5))
        } else {
            Wait::Poll
        };
        let begin = Instant::now();
        core.driver.submit_and_wait(wait).unwrap();
        assert!(begin.elapsed() < Duration::from_secs(4), "a wake-up was lost");
        core.driver.reap(0);
        while core.driver.next().is_some() {}
        seen = lane.load(Ordering::Acquire);
        done.store(seen, Ordering::Release);
    }
    peer.join().unwrap();
    assert!(core.driver.counters().doorbells_heard > 0);
}

#[test]
fn a_host_that_waits_elsewhere_is_told() {
    let mut core = Core::new(Settings::default());
    let descriptor = core.driver.enable_eventfd().unwrap();
    core.turn();
    let mut file = std::fs::File::from(descriptor);
    let mut count = [0; 8];
    while let Ok(read) = file.read(&mut count) {
        assert_eq!(read, 8);
    }
    assert_eq!(file.read(&mut count).unwrap_err().kind(), ErrorKind::WouldBlock);
    let _stream = core.connect();
    let begin = Instant::now();
    while file.read(&mut count).is_err() {
        assert!(begin.elapsed() < PATIENCE);
        std::hint::spin_loop();
    }
    core.opened();
}

#[test]
fn a_driver_is_dropped_with_sends_and_receives_in_flight() {
    let mut core = Core::new(Settings::default());
    let mut streams: Vec<_> = (0..10).map(|_| core.connect()).collect();
    let conns: Vec<_> = (0..10).map(|_| core.opened()).collect();
    let frame = Frame::new(vec![3; 900_000]);
    for _ in 0..8 {
        conns.iter().for_each(|&conn| core.driver.share(&frame, conn));
        core.turn();
    }
    drop((core, frame));
    for stream in &mut streams {
        let mut buffer = vec![0; 65_536];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            assert!(buffer[..count].iter().all(|&byte| byte == 3));
        }
    }
}

#[test]
fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let refused = Driver::start(address, Settings::default()).err().unwrap();
    assert!(refused.to_string().contains(&address.to_string()), "{refused}");
}
