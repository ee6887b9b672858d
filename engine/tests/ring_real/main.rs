//! The driver on the real kernel, over loopback: echo, fan-out, slow readers, running out of slots; closing and waking
//! have their own files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may stop at the first surprise, and it is its own clock"
)]

mod close;
mod pass;
mod shed;
mod support;
mod wake;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use engine::frame::{Frame, Piece};
use engine::ids::ConnId;
use engine::outbox::{OutboxBound, OutboxLimits};
use engine::reactor::ring::{Driver, Event, How, Settings, Wait, Why};

use support::{Core, PATIENCE, pattern, read_to_end};

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
fn what_a_crowd_sent_is_found_in_one_turn() {
    let mut core = Core::new(Settings::default());
    let mut streams: Vec<_> = (0..200).map(|_| core.connect()).collect();
    streams.iter().for_each(|_| _ = core.opened());
    core.turn();
    streams.iter_mut().for_each(|it| it.write_all(b"x").unwrap());
    std::thread::sleep(Duration::from_millis(200)); // so that all of it is there
    core.driver.submit_and_wait(Wait::Poll).unwrap();
    let now_ms = core.now_ms();
    core.driver.reap(now_ms);
    assert_eq!(core.driver.counters().bytes_received, 200);
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
    let mut expected: Vec<u8> = Vec::new();
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
            assert_eq!(core.driver.overrun_bound(conn), Some(OutboxBound::Bytes));
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

/// Sends the same frame until so much of it waits. Gives how often.
fn fill(core: &mut Core, conn: ConnId, frame: &Frame, bytes: usize) -> usize {
    let mut count = 0;
    while core.driver.waiting_bytes(conn) < bytes {
        core.driver.share(frame, conn);
        core.driver.submit_and_wait(Wait::Poll).unwrap();
        let now_ms = core.now_ms();
        core.driver.reap(now_ms);
        count += 1;
    }
    count
}

#[test]
fn the_kernel_takes_little_for_a_peer_that_does_not_read() {
    let mut core = Core::new(Settings::default());
    let (_never_reads, mute) = (core.connect(), core.opened());
    let frame = Frame::new(pattern(10_000, 5));
    let taken = 10_000 * fill(&mut core, mute, &frame, 1);
    assert!(taken < 400_000, "{taken} bytes");
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
    core.driver.reap(10_001);
    assert!(core.driver.next().is_none(), "as old as may be");
    core.driver.sweep(10_002);
    core.driver.reap(10_002);
    assert!(matches!(core.driver.next(), Some(Event::Overrun(_))));
    core.driver.close(conn, How::Graceful(Some(Frame::new(b"bye".to_vec()))));
    core.driver.sweep(15_001);
    core.now_offset_ms = 15_002;
    core.turn();
    assert_eq!(core.driver.counters().conns, 1, "grace is not over");
    core.driver.sweep(15_002);
    assert_eq!(core.closed(conn), Why::Forced);
    core.turn();
    // What the kernel held for it is gone too.
    let mut stream = stream;
    let mut had = Vec::new();
    let why = stream.read_to_end(&mut had).unwrap_err().kind();
    assert_eq!(why, std::io::ErrorKind::ConnectionReset);
    assert!(had.iter().all(|byte| *byte == 1), "{} bytes", had.len());
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
fn who_has_come_keeps_buffers_when_half_of_them_are_taken() {
    let mut core = Core::new(Settings { buffers: 16, ..Settings::default() });
    let say = |core: &mut Core, stream: &mut TcpStream| {
        stream.write_all(b"x").unwrap();
        core.received()
    };
    let mut kept = Vec::new();
    for mut stream in [core.connect(), core.connect()] {
        kept.extend((0..4).map(|_| say(&mut core, &mut stream)));
    }
    assert_eq!(core.driver.counters().buffers_lent, 8);
    let mut stream = core.connect();
    let copied = [1, 2, 3, 4].map(|_| {
        let received = say(&mut core, &mut stream);
        let copied = core.driver.counters().bytes_spilled;
        core.driver.give_back(received);
        copied
    });
    assert_eq!(copied, [1, 1, 1, 0], "three make a newcomer");
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
