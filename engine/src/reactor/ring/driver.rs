//! The driver of one core: its tables, the turn, and what the core calls.

use std::collections::VecDeque;
use std::io;

use crate::ids::ConnId;

use super::accept::Accepting;
use super::conn::{Conn, Phase};
use super::event::{Event, Received, Store};
use super::line::Lines;
use super::message::{Kept, Message};
use super::op::{Completion, Op, Ring, Wait};
use super::settings::{Counters, Settings};
use super::shed::Slowest;
use super::sleeping::Sleeping;
use super::tag::{Kind, Tag};

/// Calls of a turn, at most, only to have the kernel run what it put off: Linux 6.18 runs 20 such things in each.
const DEFERRED_ENTERS_MAX: usize = 16;
/// How often a full submission queue is offered to a kernel that refuses it before that is our fault.
const OFFERS_MAX: usize = 100_000;

/// The interval of a ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Interval {
    Off,
    Running,
    Over,
}

/// The sockets of one core.
pub struct Driver<R: Ring> {
    // Dropped first: while the ring is open, the kernel may still read what the fields below keep alive.
    pub(super) ring: R,
    pub(super) settings: Settings,
    pub(super) counters: Counters,
    pub(super) conns: Vec<Conn>,
    /// How often each slot was used. Dense, so that a fan-out does not touch the connections.
    pub(super) generations: Vec<u32>,
    /// `IDLE`, `QUEUED`, or the mark of the last turn in which there was an inline send. Dense as well.
    pub(super) marks: Vec<u8>,
    pub(super) mark: u8,
    /// What the inline sends of this turn point to. Cleared when all their completions were seen.
    pub(super) turn: Vec<Kept>,
    /// Inline sends stand in the submission queue.
    pub(super) is_turn_queued: bool,
    #[expect(clippy::vec_box, reason = "the kernel holds pointers to them: they must not move")]
    pub(super) messages: Vec<Box<Message>>,
    /// Completions taken early, to make room.
    pub(super) stash: VecDeque<Completion>,
    pub(super) lines: Lines,
    pub(super) has_rung: bool,
    interval: Interval,
    /// Connections to look at once the completions of this turn are all in.
    pub(super) settling: Vec<u32>,
    /// Connections that were overdue at a sweep. A turn sees to some of them, as a crowd that does not read is overdue at once.
    pub(super) overdue: VecDeque<u32>,
    /// Connections that nothing refers to any more. A turn lets some of them go: to end one takes the kernel a while.
    pub(super) left: VecDeque<u32>,
    /// Connections with rare state.
    pub(super) slow: Vec<u32>,
    /// Who may be given up to make room, once somebody had to be.
    pub(super) slowest: Slowest,
    pub(super) starved: VecDeque<u32>,
    pub(super) accepting: Accepting,
    pub(super) now_ms: u64,
    pub(super) sleeping: Sleeping,
}

impl<R: Ring> Driver<R> {
    /// Drives a ring; begins to accept with the first submission.
    pub fn new(ring: R, settings: Settings) -> Self {
        let held_max = settings.held_max.min(ring.buffers() / 4).max(1);
        let settings = Settings { held_max, ..settings };
        // At once: a table that grew by doubling would leave behind what it had before. Pages that nobody uses take no memory.
        let slots = ring.slots() as usize;
        let mut driver = Self {
            ring,
            settings,
            counters: Counters::default(),
            conns: Vec::with_capacity(slots),
            generations: Vec::with_capacity(slots),
            marks: Vec::with_capacity(slots),
            mark: 1,
            turn: Vec::new(),
            is_turn_queued: false,
            messages: Vec::new(),
            stash: VecDeque::new(),
            lines: Lines::default(),
            has_rung: false,
            interval: Interval::Off,
            settling: Vec::new(),
            overdue: VecDeque::new(),
            left: VecDeque::new(),
            slow: Vec::new(),
            slowest: Slowest::default(),
            starved: VecDeque::new(),
            accepting: Accepting::Off,
            now_ms: 0,
            sleeping: Sleeping::default(),
        };
        driver.push(Op::Listen, Tag::of(Kind::Listen));
        driver.accept();
        driver
    }

    /// Hands everything queued to the kernel and waits for something to happen. Does not wait while a connection of
    /// this turn still has to be settled.
    ///
    /// # Errors
    ///
    /// When the kernel refuses in a way that does not pass.
    pub fn submit_and_wait(&mut self, wait: Wait) -> io::Result<()> {
        self.feed_starved();
        let wait = if self.has_more() { Wait::Poll } else { wait };
        if wait == Wait::Interval && self.interval != Interval::Running {
            self.interval = Interval::Running;
            self.push(Op::Interval, Tag::of(Kind::Interval));
        }
        let result = self.enter(wait).and_then(|()| self.run_deferred());
        self.sleeping.clear();
        result
    }

    /// Whether an interval is over that nobody was told of.
    pub fn take_interval(&mut self) -> bool {
        let is_over = self.interval == Interval::Over;
        if is_over {
            self.interval = Interval::Off;
        }
        is_over
    }

    /// What came while a turn's sends were made does not wait for those of the next, and who is here not behind all of a crowd that
    /// comes: the kernel takes them in the order in which they came, and few in one call.
    fn run_deferred(&mut self) -> io::Result<()> {
        for _ in 0..DEFERRED_ENTERS_MAX {
            if !self.ring.has_deferred() {
                break;
            }
            self.enter(Wait::Poll)?;
        }
        Ok(())
    }

    /// Takes all completions and turns them into events. `now_ms` is monotonic.
    pub fn reap(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        self.slowest.begin_turn();
        self.lines.begin_turn(self.settings.comings_per_turn_max);
        loop {
            while let Some(completion) = self.stash.pop_front().or_else(|| self.ring.complete()) {
                self.counters.completions += 1;
                self.complete(completion);
            }
            if !self.ring.is_overflown() {
                break;
            }
            // A held-back completion may be that of a short send: it must be seen before anything more is sent.
            self.counters.overflows += 1;
            let result = self.enter(Wait::Poll);
            assert!(result.is_ok(), "the ring is broken: {result:?}");
        }
        if !self.is_turn_queued {
            self.end_turn();
        }
    }

    /// The next event. Of connections that come or go there are no more than a turn may take: the others come after the next
    /// `reap`. Stop calling while there is no room for what it may bring; the receive buffers bound what
    /// waits here.
    #[expect(clippy::should_implement_trait, reason = "more events may come after `None`")]
    pub fn next(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.has_rung) {
            return Some(Event::Doorbell);
        }
        loop {
            let (event, counted) = self.take_told()?;
            match event {
                Event::Opened(conn) | Event::Arrived(conn, _) => self.introduce(conn),
                Event::Received(received) if self.is_done(received.conn) => {
                    self.skip_told(counted);
                    self.give_back(received);
                    continue;
                }
                Event::PeerClosed(conn) | Event::Overrun(conn) | Event::Stayed(conn)
                    if self.is_done(conn) =>
                {
                    self.skip_told(counted);
                    continue;
                }
                Event::Received(_)
                | Event::Stayed(_)
                | Event::Passed(_)
                | Event::PeerClosed(_)
                | Event::Overrun(_)
                | Event::Closed(..)
                | Event::Doorbell => {}
            }
            return Some(event);
        }
    }

    /// The bytes that came.
    pub fn bytes<'a>(&'a mut self, received: &'a mut Received) -> &'a mut [u8] {
        let len = received.len();
        match &mut received.store {
            Store::Buffer(buffer) => self.ring.buffer(*buffer, len),
            Store::Spilled(bytes) => bytes,
        }
    }

    /// Whether there is more to do without anything happening: nobody may sleep.
    #[must_use]
    pub fn has_more(&self) -> bool {
        let is_settled =
            self.settling.is_empty() && self.overdue.is_empty() && self.left.is_empty();
        !is_settled || !self.stash.is_empty() || !self.lines.is_empty()
    }

    /// How many operations wait for the next submission.
    pub fn queued(&mut self) -> usize {
        self.ring.queued()
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How many connections the table holds at most.
    #[must_use]
    pub fn conns_max(&self) -> u32 {
        self.ring.slots()
    }

    pub(super) fn enter(&mut self, wait: Wait) -> io::Result<()> {
        self.counters.enters += 1;
        let result = self.ring.enter(wait);
        if self.ring.queued() == 0 {
            self.is_turn_queued = false;
        }
        match result {
            Err(cause) if is_passing(&cause) => Ok(()),
            other => other,
        }
    }

    /// Queues an operation that needs no memory of ours.
    pub(super) fn push(&mut self, op: Op, tag: Tag) {
        for _ in 0..OFFERS_MAX {
            if self.ring.push(op, tag.0).is_ok() {
                return;
            }
            self.make_room();
        }
        assert!(self.ring.push(op, tag.0).is_ok(), "the kernel takes no submissions");
    }

    /// Submits a full queue in the middle of a turn. Completions are put aside, because the caller may be in the
    /// midst of anything.
    pub(super) fn make_room(&mut self) {
        self.counters.queue_full += 1;
        let result = self.enter(Wait::Poll);
        assert!(result.is_ok(), "the ring is broken: {result:?}");
        self.peek();
    }

    fn peek(&mut self) {
        while let Some(completion) = self.ring.complete() {
            self.stash.push_back(completion);
        }
    }

    fn complete(&mut self, completion: Completion) {
        let tag = Tag(completion.tag);
        match tag.kind() {
            Some(Kind::Receive) => self.received(tag, completion),
            Some(Kind::Inline) => self.fell_short(tag, completion.result),
            Some(Kind::Armed) => self.sent(tag, completion.result),
            Some(Kind::Accept) => self.accepted(completion),
            Some(Kind::Shutdown) => self.shut(tag),
            Some(Kind::Pass) => self.passed(tag, completion.result),
            Some(Kind::Arrive) => self.arrived(tag, completion.result),
            Some(Kind::Interval) => self.interval = Interval::Over,
            Some(Kind::Bell) => self.heard(),
            Some(Kind::Listen) => {
                self.heard();
                if !completion.more {
                    self.push(Op::Listen, Tag::of(Kind::Listen));
                }
            }
            // A cancellation that came too late, or a doorbell at a ring that is gone.
            Some(Kind::Quiet) => {}
            None => self.counters.strays += 1,
        }
    }

    fn heard(&mut self) {
        self.counters.doorbells_heard += 1;
        self.has_rung = true;
    }

    /// The identity of the connection in a slot.
    pub(super) fn id(&self, slot: u32) -> ConnId {
        let generation = self.generations.get(slot as usize).copied().unwrap_or_default();
        ConnId { slot, generation }
    }

    /// The same, if the tag is of it.
    pub(super) fn known(&mut self, tag: Tag) -> Option<ConnId> {
        let id = self.id(tag.slot());
        let is_there = self.conns.get(id.index()).is_some_and(|it| it.phase != Phase::Free);
        if is_there && tag.is_of(id.generation) {
            return Some(id);
        }
        self.counters.strays += 1;
        None
    }

    /// The connection, if it is still that of its slot.
    pub(super) fn conn(&mut self, conn: ConnId) -> Option<&mut Conn> {
        let is_current = self.generations.get(conn.index()) == Some(&conn.generation);
        self.conns.get_mut(conn.index()).filter(|found| is_current && found.phase != Phase::Free)
    }
}

/// Errors of `enter` that say "later", not "never".
fn is_passing(cause: &io::Error) -> bool {
    matches!(cause.raw_os_error(), Some(libc::EINTR | libc::EBUSY | libc::EAGAIN))
}
