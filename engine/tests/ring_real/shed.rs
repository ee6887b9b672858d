//! Memory is short: who has most waiting is given up first.

use engine::frame::Frame;
use engine::outbox::OutboxLimits;
use engine::reactor::ring::{Event, How, Settings};

use super::support::{Core, pattern};

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
        let over = core.until(|_, event| match event {
            Event::Overrun(conn) => Some(conn),
            Event::Opened(_)
            | Event::Received(_)
            | Event::PeerClosed(_)
            | Event::Closed(..)
            | Event::Arrived(..)
            | Event::Passed(_)
            | Event::Stayed(_)
            | Event::Doorbell => None,
        });
        assert_eq!(over, due);
        core.driver.share(&frame, due);
    }
    core.driver.shed_slowest();
    core.turn();
    assert!(core.driver.next().is_none(), "nobody is given up twice");
    assert!(waiting(&core) <= before, "who is given up gets nothing more");
    conns.iter().for_each(|it| core.driver.close(*it, How::Now));
}
