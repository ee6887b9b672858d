//! The half of a run that reads: deliveries at subscribers, answers at publishers.

use super::load::DoneWhen;
use super::run::Run;
use super::sender::Sender;
use crate::client::conn::{Arrived, Stage};
use crate::client::message::{Heard, Message};
use crate::client::response::{self, Response};
use crate::client::socket::Ready;
use crate::client::stamp::Stamp;
use crate::client::walk::{Frame, Step};
use crate::record::check::Seen;

/// What is to be done with a connection after a frame.
enum After {
    /// Read on; the message was due so long ago, if it was a delivery.
    Go { since_due_ns: u64 },
    /// Close it.
    Close,
}

impl Run<'_> {
    /// Takes one event of the last wait.
    pub(super) fn on_event(&mut self, nth: usize) {
        let Some(Ready { index, can_read, can_write }) = self.net.poller.ready(nth) else { return };
        let Some(conn) = self.net.conns.get_mut(index) else { return };
        if can_write && conn.stage == Stage::Connecting {
            return self.on_reopened(index);
        }
        if can_write && conn.flush(index, &self.net.poller).is_err() {
            return self.close(index);
        }
        if !can_read {
            return;
        }
        let mut buffer = std::mem::take(&mut self.net.buffer);
        match conn.read(&mut buffer) {
            Arrived::Bytes(count) => {
                let now_ns = self.clock.now_ns();
                let bytes = buffer.get(..count).unwrap_or_default();
                if index < self.load.hearers() || self.load.dialect.is_native() {
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

    /// Reads what came before the run, and was kept: others of the run may have begun a moment earlier.
    pub(super) fn read_kept(&mut self) {
        let now_ns = self.clock.now_ns();
        for index in 0..self.load.hearers() {
            let Some(conn) = self.net.conns.get_mut(index) else { return };
            let kept = conn.take_kept();
            if !kept.is_empty() {
                self.on_frames(index, &kept, now_ns);
            }
        }
    }

    fn on_frames(&mut self, index: usize, bytes: &[u8], now_ns: u64) {
        let before = self.books.counts.deliveries;
        let mut longest_ns = 0;
        let mut rest = bytes;
        let after = loop {
            let after = match self.load.dialect.step(rest) {
                Step::Frame(frame, taken) => {
                    rest = rest.get(taken..).unwrap_or_default();
                    self.on_frame(index, &frame, now_ns)
                }
                Step::NeedMore => break After::Go { since_due_ns: 0 },
                Step::Bad => {
                    self.books.checker.observe_damaged();
                    After::Close
                }
            };
            match after {
                After::Go { since_due_ns } => longest_ns = since_due_ns.max(longest_ns),
                After::Close => break after,
            }
        };
        let bucket = self.books.series.at(now_ns);
        bucket.deliveries += self.books.counts.deliveries - before;
        bucket.longest_ns = bucket.longest_ns.max(longest_ns);
        match (after, self.net.conns.get_mut(index)) {
            (After::Go { .. }, Some(conn)) => conn.keep(rest),
            (After::Close, _) | (_, None) => self.close(index),
        }
        if let Some(which) = index.checked_sub(self.load.subscribers as usize) {
            self.pump(which);
        }
    }

    #[inline]
    fn on_frame(&mut self, index: usize, frame: &Frame<'_>, now_ns: u64) -> After {
        let Some(conn) = self.net.conns.get_mut(index) else { return After::Close };
        let mut since_due_ns = 0;
        match self.finder.hear(frame, conn.out()) {
            Heard::Message(message, text) => match message {
                Message::Delivery(stamp) => {
                    if self.on_delivery(index, &stamp, now_ns) == Seen::New
                        && index >= self.load.subscribers as usize
                    {
                        self.on_echo(index, &stamp, now_ns);
                    }
                    since_due_ns = stamp.since_due_ns(now_ns);
                }
                Message::Damaged => self.books.checker.observe_damaged(),
                Message::Published => self.on_answer(index, None, now_ns),
                Message::Refused => {
                    self.on_answer(index, Some(String::from_utf8_lossy(text).into_owned()), now_ns);
                }
                Message::Subscribed
                | Message::Greeted
                | Message::LetIn
                | Message::Joined(_)
                | Message::Left(_)
                | Message::Other => {}
            },
            Heard::Answered => self.flush(index),
            Heard::Nothing => {}
            Heard::Closed(_) => return After::Close,
        }
        After::Go { since_due_ns }
    }

    #[inline]
    fn on_delivery(&mut self, index: usize, stamp: &Stamp, now_ns: u64) -> Seen {
        let subscriber = u32::try_from(index).unwrap_or(u32::MAX);
        let seen = self.books.delivered(subscriber, stamp, now_ns);
        if seen == Seen::New {
            self.heard += 1;
            self.awaited = self.awaited.saturating_sub(1);
            if self.window.received(stamp.stream, stamp.seq) {
                self.pacer.complete();
            }
        }
        seen
    }

    /// A publisher hears a message. Where publishes have no answer, its own is one: each has one stream on such a wire.
    fn on_echo(&mut self, index: usize, stamp: &Stamp, now_ns: u64) {
        let which = index - self.load.subscribers as usize;
        let stream = self.load.part.global(u32::try_from(which).unwrap_or(u32::MAX / 2));
        if self.load.is_echoed() && stamp.stream == stream {
            self.on_answer(index, None, now_ns);
        }
    }

    /// Keeps connections open on servers that close silent ones.
    pub(super) fn show_life(&mut self, now_ns: u64) {
        let Some(sign) = self.life.due(now_ns) else { return };
        for index in 0..self.load.hearers() {
            let Some(conn) = self.net.conns.get_mut(index) else { return };
            self.load.dialect.say(conn.out(), sign);
            self.flush(index);
        }
    }

    fn flush(&mut self, index: usize) {
        let Some(conn) = self.net.conns.get_mut(index) else { return };
        if conn.flush(index, &self.net.poller).is_err() {
            self.close(index);
        }
    }

    fn on_reopened(&mut self, index: usize) {
        let Some(conn) = self.net.conns.get_mut(index) else { return };
        if conn.connect_error().is_some() {
            self.books.closed += 1;
            return conn.close(&self.net.poller);
        }
        conn.stage = Stage::Live;
        self.pump(index - self.load.subscribers as usize);
    }

    fn on_responses(&mut self, index: usize, bytes: &[u8], now_ns: u64) {
        let mut rest = bytes;
        let mut is_last = false;
        loop {
            match response::first(rest) {
                Ok(Some(answer)) => {
                    let refused = refusal(&answer);
                    self.on_answer(index, refused, now_ns);
                    is_last |= answer.is_last;
                    rest = rest.get(answer.bytes..).unwrap_or_default();
                }
                Ok(None) => break,
                Err(_) => {
                    self.books.checker.observe_damaged();
                    return self.close(index);
                }
            }
        }
        if is_last {
            if self.net.reopen(index).is_err() {
                self.close(index);
            }
            return;
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

pub(crate) fn refusal(answer: &Response<'_>) -> Option<String> {
    let body = || String::from_utf8_lossy(answer.body);
    // A server of Pusher's protocol may say 200 and mean it not.
    let is_refused =
        !(200..300).contains(&answer.status) || answer.body.starts_with(b"{\"error\":");
    is_refused.then(|| format!("{} {}", answer.status, body()))
}
