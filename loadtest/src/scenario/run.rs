//! One run of load: a single loop that sends what is due and reads what comes.

use super::link::Link;
use super::load::Load;
use super::sender::Sender;
use super::window::Window;
use crate::client::conn::Stage;
use crate::client::life::Life;
use crate::client::message::Finder;
use crate::client::opening::Net;
use crate::failure::Failure;
use crate::pace::{Clock, Pacer};
use crate::record::books::{Books, Mark};
use crate::record::check::{Checker, Tally};
use crate::record::process;
use crate::report::progress::Watch;

const WAIT_NS_MAX: u64 = 20_000_000;
const RELEASED_PER_TURN_MAX: usize = 1024;
/// How often the server's memory is looked at, and how seldom at least.
const LOOKS: u64 = 200;
const LOOK_NS_MIN: u64 = 200_000_000;
/// How long nothing may come before outstanding messages are given up.
const SILENCE_NS_MAX: u64 = 2_000_000_000;

/// What a run of load leaves.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The counts and times.
    pub(crate) books: Books,
    /// What was wrong.
    pub(crate) tally: Tally,
    /// At the window's begin and end.
    pub(crate) window: [Mark; 2],
    /// Messages that were due within the window, in an open loop.
    pub(crate) due: Option<u64>,
    /// Resident bytes of the server over time, from the load's start.
    pub(crate) resident: Vec<(u64, u64)>,
}

/// One run of load over connections that are open.
pub(crate) struct Run<'a> {
    pub(super) net: &'a mut Net,
    pub(super) load: &'a Load,
    pub(super) clock: Clock,
    server_pid: Option<i32>,
    pub(super) pacer: Pacer,
    pub(super) senders: Vec<Sender>,
    pub(super) books: Books,
    pub(super) finder: Finder,
    pub(super) window: Window,
    sent: Vec<u32>,
    /// The other generators, if there are any.
    link: Option<&'a mut Link>,
    /// Deliveries that came for the first time.
    pub(super) heard: u64,
    /// Subscribers of each channel.
    pub(super) audience: Vec<u32>,
    begin_ns: u64,
    end_ns: u64,
    marks: Vec<Mark>,
    resident: Vec<(u64, u64)>,
    next_look_ns: u64,
    /// Deliveries that are still to come.
    pub(super) awaited: u64,
    pub(super) heard_ns: u64,
    pub(super) life: Life,
    /// Senders with something to write, each once: one write of a turn carries all that a connection pipelines.
    unwritten: Vec<usize>,
    is_unwritten: Vec<bool>,
}

impl<'a> Run<'a> {
    /// A run that starts at a time. Connections that hear stand first, senders last.
    pub(crate) fn new(
        net: &'a mut Net,
        load: &'a Load,
        senders: Vec<Sender>,
        (clock, start_ns): (Clock, u64),
        (server_pid, link): (Option<i32>, Option<&'a mut Link>),
    ) -> Self {
        let is_unwritten = vec![false; senders.len()];
        let begin_ns = start_ns + load.warmup_ns;
        let end_ns = begin_ns + load.duration_ns;
        let mut checker = Checker::new(load.layout);
        for channel in load.heard_channels() {
            checker.add_subscriber(channel);
        }
        let mut audience = vec![0; load.layout.channels as usize];
        for channel in load.heard_channels() {
            if let Some(count) = audience.get_mut(channel as usize) {
                *count += 1;
            }
        }
        Self {
            net,
            load,
            clock,
            server_pid,
            pacer: Pacer::new(load.pace, start_ns, end_ns),
            senders,
            books: Books::new(checker, start_ns, begin_ns..end_ns),
            finder: Finder::new(load.dialect, load.payload_bytes),
            window: Window::new(load),
            sent: vec![0; load.layout.streams() as usize],
            link,
            heard: 0,
            audience,
            begin_ns,
            end_ns,
            marks: Vec::new(),
            resident: Vec::new(),
            next_look_ns: begin_ns,
            awaited: 0,
            heard_ns: start_ns,
            life: Life::new(load.dialect, start_ns),
            unwritten: Vec::new(),
            is_unwritten,
        }
    }

    /// Sends and reads until all is sent and received, or nothing comes any more.
    pub(crate) fn run(mut self, watch: &mut Watch) -> Result<Outcome, Failure> {
        self.read_kept();
        loop {
            let now_ns = self.clock.now_ns();
            self.mark(now_ns);
            self.look(now_ns);
            // What was due before the end is sent, though this thread may have slept past it.
            self.release(now_ns);
            if now_ns >= self.end_ns && self.is_agreed(now_ns)? && self.is_drained(now_ns) {
                break;
            }
            self.forget_stalled(now_ns);
            self.write();
            let timeout_ns = self.pacer.next_ns().map_or(WAIT_NS_MAX, |next| {
                next.saturating_sub(self.clock.now_ns()).min(WAIT_NS_MAX)
            });
            let cannot_wait = Failure::io("cannot wait for events");
            let count = self.net.poller.wait(timeout_ns).map_err(cannot_wait)?;
            for nth in 0..count {
                self.on_event(nth);
            }
            self.show_life(now_ns);
            self.show(now_ns, watch)?;
        }
        let last = self.take_mark(self.clock.now_ns());
        let mut marks = self.marks.into_iter();
        let window = [marks.next().unwrap_or(last), marks.next().unwrap_or(last)];
        let due = self.pacer.due_between(self.begin_ns, self.end_ns);
        let (books, resident) = (self.books, self.resident);
        let tally = books.tally(&self.sent);
        Ok(Outcome { books, tally, window, due, resident })
    }

    fn show(&self, now_ns: u64, watch: &mut Watch) -> Result<(), Failure> {
        let start_ns = self.begin_ns - self.load.warmup_ns;
        let what = match now_ns {
            _ if now_ns < self.begin_ns => "warm-up",
            _ if now_ns < self.end_ns => "measuring",
            _ => "draining",
        };
        let counts = self.books.counts;
        let part = (now_ns.saturating_sub(start_ns), self.end_ns - start_ns);
        watch.show(now_ns, what, part, || {
            format!("{} sent, {} delivered", counts.sent, counts.deliveries)
        })
    }

    fn mark(&mut self, now_ns: u64) {
        let next_ns = [self.begin_ns, self.end_ns].get(self.marks.len()).copied();
        if next_ns.is_some_and(|next_ns| now_ns >= next_ns) {
            let mark = self.take_mark(now_ns);
            self.marks.push(mark);
            self.books.untouched = self.pacer.untouched(now_ns);
        }
    }

    /// Looks at the server's memory now and then, within the window.
    fn look(&mut self, now_ns: u64) {
        if now_ns < self.next_look_ns || now_ns >= self.end_ns {
            return;
        }
        self.next_look_ns = now_ns + (self.load.duration_ns / LOOKS).max(LOOK_NS_MIN);
        if let Some(bytes) = self.server_pid.and_then(process::resident) {
            let start_ns = self.begin_ns - self.load.warmup_ns;
            self.resident.push((now_ns - start_ns, bytes));
        }
    }

    fn take_mark(&self, at_ns: u64) -> Mark {
        let server_cpu_ns = self.server_pid.and_then(process::cpu_ns);
        let (own_cpu_ns, own_wait_ns) = (process::own_cpu_ns(), process::own_wait_ns());
        Mark { at_ns, counts: self.books.counts, own_cpu_ns, own_wait_ns, server_cpu_ns }
    }

    /// Whether it is known what all generators sent: only then is it known what has still to come.
    fn is_agreed(&mut self, now_ns: u64) -> Result<bool, Failure> {
        let is_answered = self.senders.iter().all(|sender| sender.in_flight() == 0);
        let is_late = now_ns.saturating_sub(self.end_ns) > SILENCE_NS_MAX;
        let Some(link) = &mut self.link else { return Ok(true) };
        if !is_answered && !is_late {
            return Ok(false);
        }
        let Some(all) = link.agree(&self.sent, &self.books.refused)? else { return Ok(false) };
        self.link = None;
        let audience = |stream: u32| {
            let channel = self.load.layout.channel(stream) as usize;
            u64::from(self.audience.get(channel).copied().unwrap_or(0))
        };
        let sent = (0..).zip(&all.sent).map(|(stream, sent)| u64::from(*sent) * audience(stream));
        let refused = all.refused.iter().map(|(stream, _)| audience(*stream));
        let due = sent.sum::<u64>().saturating_sub(refused.sum());
        self.awaited = due.saturating_sub(self.heard);
        (self.sent, self.books.refused) = (all.sent, all.refused);
        self.heard_ns = now_ns;
        Ok(true)
    }

    fn is_drained(&self, now_ns: u64) -> bool {
        let in_flight: usize = self.senders.iter().map(Sender::in_flight).sum();
        let is_silent = now_ns.saturating_sub(self.heard_ns.max(self.end_ns)) > SILENCE_NS_MAX;
        is_silent || (self.awaited == 0 && in_flight == 0)
    }

    /// A closed loop whose window never empties would wait for ever for what was lost.
    fn forget_stalled(&mut self, now_ns: u64) {
        let outstanding = self.books.counts.sent > 0 && self.pacer.next_ns().is_none();
        if outstanding && now_ns.saturating_sub(self.heard_ns) > SILENCE_NS_MAX {
            self.heard_ns = now_ns;
            self.books.stalls += u64::from(now_ns < self.end_ns);
            self.pacer.forget_outstanding();
        }
    }

    /// Gives due messages to their senders; so many at most, so that reading goes on.
    fn release(&mut self, now_ns: u64) {
        for _ in 0..RELEASED_PER_TURN_MAX {
            let Some(due) = self.pacer.take(now_ns) else { break };
            let own = self.load.sender_of(due.number);
            let Some(which) = own.map(|own| own as usize) else { continue };
            if let Some(sender) = self.senders.get_mut(which) {
                sender.add_due();
                self.pump(which);
            }
        }
    }

    /// Writes what this turn gave to connections.
    fn write(&mut self) {
        let mut unwritten = std::mem::take(&mut self.unwritten);
        for which in unwritten.drain(..) {
            if let Some(mark) = self.is_unwritten.get_mut(which) {
                *mark = false;
            }
            let index = self.load.subscribers as usize + which;
            let conn = self.net.conns.get_mut(index).filter(|conn| conn.stage == Stage::Live);
            if conn.is_some_and(|conn| conn.flush(index, &self.net.poller).is_err()) {
                self.close(index);
            }
        }
        self.unwritten = unwritten;
    }

    /// Makes what a sender may send. [`Run::write`] writes it.
    pub(super) fn pump(&mut self, which: usize) {
        let index = self.load.subscribers as usize + which;
        let (Some(sender), Some(conn)) =
            (self.senders.get_mut(which), self.net.conns.get_mut(index))
        else {
            return;
        };
        if conn.stage != Stage::Live {
            return;
        }
        let count = u64::from(self.load.all_senders());
        let place = u64::from(self.load.part.global(u32::try_from(which).unwrap_or(0)));
        while sender.can_send() {
            let now_ns = self.clock.now_ns();
            if !self.pacer.may_send(now_ns) {
                break;
            }
            let number = sender.sent() * count + place;
            let due_ns = self.pacer.due_ns(number, now_ns);
            let Some(message) = sender.send(conn, due_ns, now_ns) else { break };
            let channel = self.load.layout.channel(message.stream);
            let audience = self.audience.get(channel as usize).copied().unwrap_or(0);
            self.window.sent(message.stream, message.seq, audience);
            self.awaited += u64::from(audience);
            self.books.counts.sent += 1;
            if let Some(sent) = self.sent.get_mut(message.stream as usize) {
                *sent = message.seq + 1;
            }
        }
        if let Some(mark) = self.is_unwritten.get_mut(which)
            && !std::mem::replace(mark, true)
        {
            self.unwritten.push(which);
        }
    }

    pub(super) fn close(&mut self, index: usize) {
        if let Some(conn) = self.net.conns.get_mut(index).filter(|conn| conn.stage == Stage::Live) {
            conn.close(&self.net.poller);
            self.books.closed += 1;
        }
    }
}
