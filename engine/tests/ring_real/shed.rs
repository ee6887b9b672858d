//! Memory is short: who has most waiting is given up first, and who has little not at all. All outboxes together hold too much: who
//! waits longest is.

use std::io::Read as _;
use std::time::Instant;

use engine::frame::Frame;
use engine::outbox::{OutboxBound, OutboxLimits};
use engine::reactor::ring::{Event, How, Settings, Why};

use super::fill;
use super::support::{Core, PATIENCE, pattern, read_to_end};

const MIB: usize = 1 << 20;

#[test]
fn who_has_most_waiting_is_given_up_first_and_nobody_twice() {
    let outbox = OutboxLimits { bytes_max: 256 * MIB, age_ms_max: 600_000 };
    let mut core = Core::new(Settings { outbox, ..Settings::default() });
    let streams: Vec<_> = (0..3).map(|_| core.connect()).collect();
    let conns: Vec<_> = streams.iter().map(|_| core.opened()).collect();
    core.driver.shed_slowest();
    assert!(core.driver.next().is_none(), "nobody is behind");
    let frame = Frame::new(pattern(MIB, 1));
    // Far more than the kernel takes for a peer that does not read.
    for (conn, count) in [(conns[0], 40), (conns[1], 60)] {
        for _ in 0..count {
            core.driver.share(&frame, conn);
            core.turn();
        }
    }
    let waiting = |core: &Core| [0, 1, 2].map(|it: usize| core.driver.waiting_bytes(conns[it]));
    let before = waiting(&core);
    assert!(0 < before[0] && before[0] < before[1] && before[2] == 0, "{before:?}");
    for due in [conns[1], conns[0]] {
        core.driver.shed_slowest();
        assert_eq!(core.given_up(), due);
        core.driver.share(&frame, due);
    }
    core.driver.shed_slowest();
    core.turn();
    assert!(core.driver.next().is_none(), "nobody is given up twice");
    assert!(waiting(&core) <= before, "who is given up gets nothing more");
    conns.iter().for_each(|it| core.driver.close(*it, How::Now));
}

/// With so much waiting a connection is behind, by default.
const BEHIND: usize = 32 * 1024;

#[test]
fn who_has_as_much_waiting_as_anybody_now_and_then_is_not_given_up() {
    let mut core = Core::new(Settings::default());
    let _stream = core.connect();
    let conn = core.opened();
    let frame = Frame::new(pattern(BEHIND / 2, 1));
    let send_until = |core: &mut Core, bytes| {
        while core.driver.waiting_bytes(conn) < bytes {
            core.driver.share(&frame, conn);
            core.turn();
        }
    };
    send_until(&mut core, 1);
    assert!(core.driver.waiting_bytes(conn) < BEHIND);
    core.driver.shed_slowest();
    core.turn();
    assert!(core.driver.next().is_none(), "it is hardly behind");
    send_until(&mut core, BEHIND);
    core.driver.shed_slowest();
    assert_eq!(core.given_up(), conn);
}

#[test]
fn when_all_outboxes_hold_too_much_who_waits_longest_is_closed_and_not_who_comes_next() {
    let mut core = Core::new(Settings { backlog_bytes_max: 400_000, ..Settings::default() });
    let (_never_reads, mute) = (core.connect(), core.opened());
    let (stream, tardy) = (core.connect(), core.opened());
    let piece = pattern(10_000, 5);
    let frame = Frame::new(piece.clone());
    fill(&mut core, mute, &frame, 200_000);
    core.now_offset_ms += 10;
    let sent = fill(&mut core, tardy, &frame, 250_000);
    assert_eq!(core.given_up(), mute);
    assert_eq!(core.driver.overrun_bound(mute), Some(OutboxBound::TotalBytes));
    core.driver.close(mute, How::Graceful(None));
    core.driver.close(tardy, How::Graceful(None));
    let peer = std::thread::spawn(move || read_to_end(stream));
    assert_eq!(core.closed(tardy), Why::Ours);
    core.while_running(&peer);
    let got = peer.join().unwrap();
    assert_eq!(got.len(), sent * piece.len(), "it lost nothing");
    assert_eq!(core.driver.counters().overruns, 1);
    core.now_offset_ms += 10_000;
    let now_ms = core.now_ms();
    core.driver.sweep(now_ms);
    assert_eq!(core.closed(mute), Why::Forced);
    assert_eq!(core.driver.counters().backlog_bytes, 0);
}

#[test]
fn who_is_over_its_own_bound_ends_and_nobody_for_it() {
    let outbox = OutboxLimits { bytes_max: 150_000, age_ms_max: 60_000 };
    let mut core =
        Core::new(Settings { outbox, backlog_bytes_max: 220_000, ..Settings::default() });
    let (_never_reads, mute) = (core.connect(), core.opened());
    let (_tardy_reads, tardy) = (core.connect(), core.opened());
    let frame = Frame::new(pattern(10_000, 5));
    fill(&mut core, mute, &frame, 90_000);
    core.now_offset_ms += 10;
    fill(&mut core, tardy, &frame, 100_000);
    core.driver.share(&Frame::new(pattern(60_000, 5)), tardy);
    assert_eq!(core.given_up(), tardy);
    assert_eq!(core.driver.overrun_bound(tardy), Some(OutboxBound::Bytes));
    assert_eq!(core.driver.counters().overruns, 1);
}

#[test]
fn for_what_could_never_fit_nobody_else_ends() {
    let mut core = Core::new(Settings { backlog_bytes_max: 400_000, ..Settings::default() });
    let (_never_reads, mute) = (core.connect(), core.opened());
    let (_reads, greedy) = (core.connect(), core.opened());
    fill(&mut core, mute, &Frame::new(pattern(10_000, 5)), 100_000);
    core.now_offset_ms += 10;
    core.driver.share(&Frame::new(pattern(1_000, 5)), greedy);
    core.driver.share(&Frame::new(pattern(500_000, 5)), greedy);
    assert_eq!(core.given_up(), greedy);
    assert_eq!(core.driver.overrun_bound(greedy), Some(OutboxBound::TotalBytes));
    assert_eq!(core.driver.counters().overruns, 1);
}

#[test]
fn what_waits_for_whom_is_given_up_is_free_before_the_core_hears_of_it() {
    let mut core = Core::new(Settings { backlog_bytes_max: 400_000, ..Settings::default() });
    let (_never_reads, mute) = (core.connect(), core.opened());
    let (_tardy_reads, tardy) = (core.connect(), core.opened());
    let frame = Frame::new(pattern(10_000, 5));
    fill(&mut core, mute, &frame, 200_000);
    core.now_offset_ms += 10;
    fill(&mut core, tardy, &frame, 250_000);
    let begin = Instant::now();
    while core.driver.counters().shed_bytes > 0 {
        core.turn();
        assert!(begin.elapsed() < PATIENCE, "{:?}", core.driver.counters());
    }
    let (kept, waiting) = (core.driver.waiting_bytes(mute), core.driver.waiting_bytes(tardy));
    assert!(kept < frame.len(), "more than the rest of what was begun: {kept}");
    assert_eq!(core.driver.counters().backlog_bytes, (kept + waiting) as u64);
    assert_eq!(core.given_up(), mute);
}

#[test]
fn a_turn_looks_once_for_those_who_wait_longest() {
    let mut core = Core::new(Settings { backlog_bytes_max: 400_000, ..Settings::default() });
    let (_never_reads, closing) = (core.connect(), core.opened());
    let streams: Vec<_> = (0..6).map(|_| core.connect()).collect();
    let conns: Vec<_> = streams.iter().map(|_| core.opened()).collect();
    let frame = Frame::new(pattern(5_000, 5));
    fill(&mut core, closing, &frame, 360_000);
    core.driver.close(closing, How::Graceful(None));
    for conn in &conns[..5] {
        fill(&mut core, *conn, &frame, frame.len() + 1);
    }
    assert_eq!(core.driver.counters().rankings, 0);
    core.now_offset_ms += 10;
    core.turn();
    (0..20).for_each(|_| core.driver.share(&frame, conns[5]));
    let counters = core.driver.counters();
    assert!(counters.overruns > 2, "{counters:?}");
    assert_eq!(counters.rankings, 1);
}

#[test]
fn as_few_end_as_it_takes_and_not_who_has_read_meanwhile() {
    let outbox = OutboxLimits { bytes_max: 256 * MIB, age_ms_max: 600_000 };
    let mut core =
        Core::new(Settings { outbox, backlog_bytes_max: 4 * MIB, ..Settings::default() });
    let mut streams: Vec<_> = (0..6).map(|_| core.connect()).collect();
    let conns: Vec<_> = streams.iter().map(|_| core.opened()).collect();
    let frame = Frame::new(pattern(50_000, 5));
    for conn in &conns[..5] {
        fill(&mut core, *conn, &frame, MIB / 2);
        core.now_offset_ms += 10;
        core.turn();
    }
    let next_given_up = |core: &mut Core| loop {
        core.driver.share(&frame, conns[5]);
        core.turn();
        while let Some(event) = core.driver.next() {
            if let Event::Overrun(conn) = event {
                return conn;
            }
        }
    };
    assert_eq!(next_given_up(&mut core), conns[0]);
    assert_eq!(core.driver.counters().overruns, 1);
    streams[1].set_nonblocking(true).unwrap();
    while core.driver.waiting_bytes(conns[1]) > 0 {
        let _ = streams[1].read(&mut vec![0; MIB]); // nothing may be there yet
        core.turn();
    }
    assert_eq!(next_given_up(&mut core), conns[2]);
    let counters = core.driver.counters();
    assert_eq!((counters.overruns, counters.rankings), (2, 1), "{counters:?}");
}

#[test]
fn nobody_ends_who_has_only_the_rest_of_what_was_begun() {
    let mut core = Core::new(Settings { backlog_bytes_max: 3 * MIB, ..Settings::default() });
    let streams: Vec<_> = (0..3).map(|_| core.connect()).collect();
    let conns: Vec<_> = streams.iter().map(|_| core.opened()).collect();
    let (_reads, greedy) = (core.connect(), core.opened());
    let frame = Frame::new(pattern(MIB, 1));
    conns.iter().for_each(|it| core.driver.share(&frame, *it));
    (0..3).for_each(|_| core.turn());
    core.now_offset_ms += 10;
    core.turn();
    core.driver.share(&Frame::new(pattern(1_000, 5)), greedy);
    core.driver.share(&Frame::new(pattern(MIB - 1, 5)), greedy);
    assert_eq!(core.given_up(), greedy);
    assert_eq!(core.driver.counters().overruns, 1);
}

#[test]
fn what_a_send_did_not_take_counts_for_all_too() {
    let most = 10 * MIB;
    let mut core = Core::new(Settings { backlog_bytes_max: most, ..Settings::default() });
    let streams: Vec<_> = (0..40).map(|_| core.connect()).collect();
    let conns: Vec<_> = streams.iter().map(|_| core.opened()).collect();
    let frame = Frame::new(pattern(MIB, 1));
    conns.iter().for_each(|it| core.driver.share(&frame, *it));
    core.turn();
    let kept: usize = conns
        .iter()
        .filter(|it| core.driver.overrun_bound(**it).is_none())
        .map(|it| core.driver.waiting_bytes(*it))
        .sum();
    assert!(kept > 0 && kept <= most, "{kept}");
    let over = core.given_up();
    assert_eq!(core.driver.overrun_bound(over), Some(OutboxBound::TotalBytes));
}

#[test]
fn a_crowd_whose_time_is_over_at_once_is_seen_to_bit_by_bit() {
    const CROWD: usize = 10;
    let mut core = Core::new(Settings { comings_per_turn_max: 4, ..Settings::default() });
    let crowd: Vec<_> = (0..CROWD).map(|_| (core.connect(), core.opened())).collect();
    let frame = Frame::new(pattern(10_000, 5));
    crowd.iter().for_each(|(_, conn)| {
        fill(&mut core, *conn, &frame, 1);
    });
    core.now_offset_ms += 10_100;
    let now_ms = core.now_ms();
    core.driver.sweep(now_ms);
    let mut given_up = Vec::new();
    while given_up.iter().sum::<usize>() < CROWD {
        assert!(core.driver.has_more() && given_up.len() < CROWD, "{given_up:?}");
        // Another sweep meanwhile finds them again, and forgets nobody.
        core.driver.sweep(now_ms);
        core.driver.reap(now_ms);
        let told = std::iter::from_fn(|| core.driver.next());
        given_up.push(told.filter(|it| matches!(it, Event::Overrun(_))).count());
    }
    assert_eq!(given_up, [4, 4, 2]);
}
