//! One run of load: a single loop that sends what is due and reads what comes.

use super::load::{DoneWhen, Load};
use super::sender::Sender;
use super::window::Window;
use crate::client::conn::{Arrived, Stage};
use crate::client::message::{Finder, Message};
use crate::client::opening::Net;
use crate::client::socket::Ready;
use crate::client::walk::{self, Frame, Step};
use crate::failure::Failure;
use crate::pace::{Clock, Pacer};
use crate::record::books::{Books, Mark};
use crate::record::check::{Checker, Seen};
use crate::record::process;
use crate::report::progress::Watch;
use protocol::client::parse_response;
use protocol::ws::{Opcode, append_masked};

const WAIT_NS_MAX: u64 = 20_000_000;
/// How long nothing may come before outstanding messages are given up.
const SILENCE_NS_MAX: u64 = 2_000_000_000;

/// What a run of load leaves.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The counts and times.
    pub(crate) books: Books,
    /// Messages sent, by stream.
    pub(crate) sent: Vec<u32>,
    /// At the window's begin and end.
    pub(crate) window: [Mark; 2],
    /// Messages that were due within the window, in an open loop.
    pub(crate) due: Option<u64>,
}

/// One run of load over connections that are open.
pub(crate) struct Run<'a> {
    net: &'a mut Net,
    load: &'a Load,
    clock: Clock,
    server_pid: Option<i32>,
    pacer: Pacer,
    senders: Vec<Sender>,
    books: Books,
    finder: Finder,
    window: Window,
    sent: Vec<u32>,
    /// Subscribers of each channel.
    audience: Vec<u32>,
    begin_ns: u64,
    end_ns: u64,
    marks: Vec<Mark>,
    /// Deliveries that are still to come.
    awaited: u64,
    heard_ns: u64,
}

impl<'a> Run<'a> {
    /// A run that starts now. Connections that hear stand first, senders last.
    pub(crate) fn new(
        net: &'a mut Net,
        load: &'a Load,
        senders: Vec<Sender>,
        clock: Clock,
        server_pid: Option<i32>,
    ) -> Self {
        let start_ns = clock.now_ns();
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
            finder: Finder::new(load.payload_bytes),
            window: Window::new(load),
            sent: vec![0; load.layout.streams() as usize],
            audience,
            begin_ns,
            end_ns,
            marks: Vec::new(),
            awaited: 0,
            heard_ns: start_ns,
        }
    }

    /// Sends and reads until all is sent and received, or nothing comes any more.
    pub(crate) fn run(mut self, watch: &mut Watch) -> Result<Outcome, Failure> {
        loop {
            let now_ns = self.clock.now_ns();
            self.mark(now_ns);
            if now_ns >= self.end_ns && self.is_drained(now_ns) {
                break;
            }
            self.forget_stalled(now_ns);
            self.release(now_ns);
            let timeout_ns = self.pacer.next_ns().map_or(WAIT_NS_MAX, |next| {
                next.saturating_sub(self.clock.now_ns()).min(WAIT_NS_MAX)
            });
            let cannot_wait = Failure::io("cannot wait for events");
            let count = self.net.poller.wait(timeout_ns).map_err(cannot_wait)?;
            for nth in 0..count {
                if let Some(ready) = self.net.poller.ready(nth) {
                    self.on_ready(ready);
                }
            }
            self.show(now_ns, watch)?;
        }
        let last = self.take_mark(self.clock.now_ns());
        let mut marks = self.marks.into_iter();
        let window = [marks.next().unwrap_or(last), marks.next().unwrap_or(last)];
        let due = self.pacer.due_between(self.begin_ns, self.end_ns);
        Ok(Outcome { books: self.books, sent: self.sent, window, due })
    }

    fn show(&self, now_ns: u64, watch: &mut Watch) -> Result<(), Failure> {
        let start_ns = self.begin_ns - self.load.warmup_ns;
        let what = match now_ns {
            _ if now_ns < self.begin_ns => "warm-up",
            _ if now_ns < self.end_ns => "measuring",
            _ => "draining",
        };
        let counts = self.books.counts;
        let part = (now_ns - start_ns, self.end_ns - start_ns);
        watch.show(now_ns, what, part, || {
            format!("{} sent, {} delivered", counts.sent, counts.deliveries)
        })
    }

    fn mark(&mut self, now_ns: u64) {
        let next_ns = [self.begin_ns, self.end_ns].get(self.marks.len()).copied();
        if next_ns.is_some_and(|next_ns| now_ns >= next_ns) {
            let mark = self.take_mark(now_ns);
            self.marks.push(mark);
        }
    }

    fn take_mark(&self, at_ns: u64) -> Mark {
        let server_cpu_ns = self.server_pid.and_then(process::cpu_ns);
        let own_cpu_ns = process::own_cpu_ns();
        Mark { at_ns, counts: self.books.counts, own_cpu_ns, server_cpu_ns }
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

    fn release(&mut self, now_ns: u64) {
        let count = self.senders.len() as u64;
        while let Some(due) = self.pacer.take(now_ns) {
            let which = usize::try_from(due.number % count).unwrap_or(0);
            if let Some(sender) = self.senders.get_mut(which) {
                sender.add_due();
                self.books.held += u64::from(!sender.can_send());
                self.pump(which);
            }
        }
    }

    /// Sends what a sender may send.
    fn pump(&mut self, which: usize) {
        let index = self.load.subscribers as usize + which;
        let (Some(sender), Some(conn)) =
            (self.senders.get_mut(which), self.net.conns.get_mut(index))
        else {
            return;
        };
        if conn.stage != Stage::Live {
            return;
        }
        let count = self.load.senders() as u64;
        while sender.can_send() {
            let now_ns = self.clock.now_ns();
            let number = sender.sent() * count + which as u64;
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
        if conn.flush(index, &self.net.poller).is_err() {
            self.close(index);
        }
    }

    fn close(&mut self, index: usize) {
        if let Some(conn) = self.net.conns.get_mut(index).filter(|conn| conn.stage == Stage::Live) {
            conn.close(&self.net.poller);
            self.books.closed += 1;
        }
    }

    fn on_ready(&mut self, ready: Ready) {
        let index = ready.index;
        let Some(conn) = self.net.conns.get_mut(index) else { return };
        if ready.can_write && conn.flush(index, &self.net.poller).is_err() {
            return self.close(index);
        }
        if !ready.can_read {
            return;
        }
        let mut buffer = std::mem::take(&mut self.net.buffer);
        match conn.read(&mut buffer) {
            Arrived::Bytes(count) => {
                let now_ns = self.clock.now_ns();
                let bytes = buffer.get(..count).unwrap_or_default();
                if index < self.load.hearers() {
                    self.on_frames(index, bytes, now_ns);
                } else {
                    self.on_responses(index, bytes, now_ns);
                }
                self.books.counts.bytes += count as u64;
                self.heard_ns = now_ns;
            }
            Arrived::Nothing => {}
            Arrived::Ended => self.close(index),
        }
        self.net.buffer = buffer;
    }

    fn on_frames(&mut self, index: usize, bytes: &[u8], now_ns: u64) {
        let before = self.books.counts.deliveries;
        let mut longest_ns = 0;
        let mut rest = bytes;
        let ends = loop {
            match walk::step(rest) {
                Step::Frame(frame, taken) => {
                    rest = rest.get(taken..).unwrap_or_default();
                    match frame {
                        Frame::Message(text) => {
                            longest_ns = self.on_message(index, text, now_ns).max(longest_ns);
                        }
                        Frame::Ping(payload) => self.pong(index, payload),
                        Frame::Pong => {}
                        Frame::Close(_) => break true,
                    }
                }
                Step::NeedMore => break false,
                Step::Bad => {
                    self.books.checker.observe_damaged();
                    break true;
                }
            }
        };
        let bucket = self.books.series.at(now_ns);
        bucket.deliveries += self.books.counts.deliveries - before;
        bucket.longest_ns = bucket.longest_ns.max(longest_ns);
        if ends {
            self.close(index);
        } else if let Some(conn) = self.net.conns.get_mut(index) {
            conn.keep(rest);
        }
        if let Some(which) = index.checked_sub(self.load.subscribers as usize) {
            self.pump(which);
        }
    }

    /// Notes a message; returns how long ago it was due, if it is a delivery.
    #[inline]
    fn on_message(&mut self, index: usize, text: &[u8], now_ns: u64) -> u64 {
        match self.finder.message(text) {
            Message::Delivery(stamp) => {
                let subscriber = u32::try_from(index).unwrap_or(u32::MAX);
                if self.books.delivered(subscriber, &stamp, now_ns) == Seen::New {
                    self.awaited = self.awaited.saturating_sub(1);
                    if self.window.received(stamp.stream, stamp.seq) {
                        self.pacer.complete();
                    }
                }
                return stamp.since_due_ns(now_ns);
            }
            Message::Damaged => self.books.checker.observe_damaged(),
            Message::Published => self.on_answer(index, None, now_ns),
            Message::Refused => {
                self.on_answer(index, Some(String::from_utf8_lossy(text).into_owned()), now_ns);
            }
            Message::Subscribed | Message::Other => {}
        }
        0
    }

    fn pong(&mut self, index: usize, payload: &[u8]) {
        let Some(conn) = self.net.conns.get_mut(index) else { return };
        append_masked(conn.out(), Opcode::Pong, payload, [0; 4]);
        if conn.flush(index, &self.net.poller).is_err() {
            self.close(index);
        }
    }

    fn on_responses(&mut self, index: usize, bytes: &[u8], now_ns: u64) {
        let mut rest = bytes;
        loop {
            match parse_response(rest) {
                Ok(Some(head)) => {
                    let end = head.head_bytes + head.content_length;
                    let Some(body) = rest.get(head.head_bytes..end) else { break };
                    let refused = (head.status != 200)
                        .then(|| format!("{} {}", head.status, String::from_utf8_lossy(body)));
                    self.on_answer(index, refused, now_ns);
                    rest = rest.get(end..).unwrap_or_default();
                }
                Ok(None) => break,
                Err(_) => {
                    self.books.checker.observe_damaged();
                    return self.close(index);
                }
            }
        }
        if let Some(conn) = self.net.conns.get_mut(index) {
            conn.keep(rest);
        }
        self.pump(index - self.load.subscribers as usize);
    }

    /// A publish was answered: acknowledged, or refused with a reason.
    fn on_answer(&mut self, index: usize, refused: Option<String>, now_ns: u64) {
        let which = index.checked_sub(self.load.subscribers as usize);
        let sender = which.and_then(|which| self.senders.get_mut(which));
        let Some(message) = sender.and_then(Sender::answered) else {
            if let Some(why) = refused {
                *self.books.refused_by.entry(why).or_default() += 1;
            }
            return;
        };
        let channel = self.load.layout.channel(message.stream);
        let audience = self.audience.get(channel as usize).copied().unwrap_or(0);
        let ends_with_answer = self.load.done_when == DoneWhen::Acknowledged || audience == 0;
        if ends_with_answer || refused.is_some() {
            self.pacer.complete();
        }
        match refused {
            None => self.books.acknowledged(message.due_ns, now_ns),
            Some(why) => {
                self.awaited = self.awaited.saturating_sub(u64::from(audience));
                self.books.refused(why, (message.stream, message.seq));
            }
        }
    }
}
