//! What all scenarios of comings and goings share: who publishes, and what everybody who is there has to hear.

use super::wire::{Crowd, Event, Stamped};
use crate::client::conn::Conn;
use crate::client::message::Message;
use crate::client::stamp::Stamp;
use crate::pace::Pacer;
use crate::record::books::Counts;
use crate::record::check::Tally;
use crate::record::latency::Times;
use crate::record::slices::Slices;
use crate::scenario::load::{Load, OPEN_ENDED_NS};
use crate::scenario::sender::Sender;
use std::collections::BTreeMap;
use std::ops::Range;

/// What was acknowledged so long ago must have been heard by everybody who was there.
const LATE_NS: u64 = 1_000_000_000;
/// Messages that are released in one turn at most, so that reading goes on.
const RELEASED_PER_TURN_MAX: usize = 256;

/// How much is shown over time of a run that ends when it is done.
const SHOWN_NS: u64 = 30_000_000_000;

/// What a connection heard of its channel.
#[derive(Clone, Copy, Debug)]
struct Ear {
    channel: u32,
    /// The first message that it must hear.
    from: u32,
    /// What it expects next; `None` before the first.
    next: Option<u32>,
}

/// What came of what was published.
#[derive(Debug)]
pub(crate) struct Record {
    /// What went wrong with messages.
    pub(crate) tally: Tally,
    /// What came and went.
    pub(crate) counts: Counts,
    /// From due to received.
    pub(crate) deliveries: Times,
    /// The same over time.
    pub(crate) slices: Slices,
    /// Why publishes were refused.
    pub(crate) refused: BTreeMap<String, u64>,
    /// Why connections ended that should not have.
    pub(crate) gone: BTreeMap<String, u64>,
}

impl Record {
    /// Nothing yet; what is shown over time goes into these slices.
    pub(crate) fn new(slices: Slices) -> Self {
        Self {
            tally: Tally::default(),
            counts: Counts::default(),
            deliveries: Times::new(),
            slices,
            refused: BTreeMap::new(),
            gone: BTreeMap::new(),
        }
    }
}

/// Who publishes, and who hears.
#[derive(Debug)]
pub(crate) struct Hall {
    load: Load,
    pacer: Option<Pacer>,
    senders: Vec<Sender>,
    ears: Vec<Option<Ear>>,
    sent: Vec<u32>,
    /// When the messages of each stream were acknowledged, in order.
    acknowledged_ns: Vec<Vec<u64>>,
    window_ns: Range<u64>,
    /// What came of it.
    pub(crate) record: Record,
}

impl Hall {
    /// A hall in which nobody publishes yet. Places of subscribers stand first, then those of senders.
    pub(crate) fn new(load: Load, senders: Vec<Sender>) -> Self {
        let streams = load.layout.streams() as usize;
        Self {
            pacer: None,
            senders,
            ears: Vec::new(),
            sent: vec![0; streams],
            acknowledged_ns: vec![Vec::new(); streams],
            window_ns: 0..0,
            record: Record::new(Slices::new(0, 0)),
            load,
        }
    }

    /// Begins to publish; what is due in the window is measured.
    pub(crate) fn begin(&mut self, start_ns: u64, end_ns: u64, window_ns: Range<u64>) {
        let publishes = !self.senders.is_empty();
        self.pacer = publishes.then(|| Pacer::new(self.load.pace, start_ns, end_ns));
        let is_open_ended = end_ns - start_ns >= OPEN_ENDED_NS;
        self.record.slices =
            Slices::new(start_ns, if is_open_ended { start_ns + SHOWN_NS } else { end_ns });
        self.window_ns = window_ns;
    }

    /// Whether a moment is one that is measured.
    pub(crate) fn is_measured(&self, at_ns: u64) -> bool {
        self.window_ns.contains(&at_ns)
    }

    /// Somebody hears a channel from now on, without a gap.
    pub(crate) fn enter(&mut self, at: usize, channel: u32) {
        let from = self.sent.get(channel as usize).copied().unwrap_or(0);
        self.put(at, Some(Ear { channel, from, next: None }));
    }

    /// Somebody hears a channel again, behind the last that it heard.
    pub(crate) fn reenter(&mut self, at: usize, channel: u32, next: u32) {
        self.put(at, Some(Ear { channel, from: next, next: Some(next) }));
    }

    fn put(&mut self, at: usize, ear: Option<Ear>) {
        if at >= self.ears.len() {
            self.ears.resize(at + 1, None);
        }
        if let Some(place) = self.ears.get_mut(at) {
            *place = ear;
        }
    }

    /// Somebody leaves: what was acknowledged a while ago must have been heard. Returns what comes next.
    pub(crate) fn leave(&mut self, at: usize, now_ns: u64) -> Option<u32> {
        let ear = self.ears.get_mut(at)?.take()?;
        let acknowledged = self.acknowledged_ns.get(ear.channel as usize)?;
        let long_ago = acknowledged.partition_point(|ns| ns + LATE_NS <= now_ns);
        let owed = u32::try_from(long_ago).unwrap_or(u32::MAX);
        let next = ear.next.unwrap_or(ear.from);
        self.record.tally.lost += u64::from(owed.saturating_sub(next));
        ear.next
    }

    /// Publishes what is due.
    pub(crate) fn publish(&mut self, now_ns: u64, crowd: &mut Crowd) {
        for _ in 0..RELEASED_PER_TURN_MAX {
            let Some(due) = self.pacer.as_mut().and_then(|pacer| pacer.take(now_ns)) else { break };
            let which = usize::try_from(due.number % self.senders.len().max(1) as u64).unwrap_or(0);
            if let Some(sender) = self.senders.get_mut(which) {
                sender.add_due();
            }
        }
        (0..self.senders.len()).for_each(|which| self.pump(which, now_ns, crowd));
    }

    fn pump(&mut self, which: usize, now_ns: u64, crowd: &mut Crowd) {
        let place = self.load.subscribers as usize + which;
        let count = self.senders.len() as u64;
        let (Some(sender), Some(pacer)) = (self.senders.get_mut(which), &self.pacer) else {
            return;
        };
        while sender.can_send() {
            let due_ns = pacer.due_ns(sender.sent() * count + which as u64, now_ns);
            let write = |conn: &mut Conn| {
                let sent = sender.send(conn, due_ns, now_ns)?;
                Some(Stamped { stream: sent.stream, seq: sent.seq })
            };
            let Some(sent) = crowd.publish(place, write) else { break };
            self.record.counts.sent += 1;
            if let Some(count) = self.sent.get_mut(sent.stream as usize) {
                *count = sent.seq + 1;
            }
        }
    }

    /// When to publish next.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        self.pacer.as_ref().and_then(Pacer::next_ns)
    }

    /// Notes what happened at a place.
    pub(crate) fn on(&mut self, at: usize, event: &Event<'_>, now_ns: u64) {
        match event {
            Event::Heard(Message::Delivery(stamp), _) => self.on_delivery(at, stamp, now_ns),
            Event::Heard(Message::Damaged, _) => self.record.tally.damaged += 1,
            Event::Heard(Message::Published, _) => self.on_answer(at, None, now_ns),
            Event::Heard(Message::Refused, text) => {
                self.on_answer(at, Some(String::from_utf8_lossy(text).into_owned()), now_ns);
            }
            Event::Answered(refused) => self.on_answer(at, refused.clone(), now_ns),
            Event::Gone(why) => *self.record.gone.entry(why.clone()).or_default() += 1,
            Event::In(_) | Event::Heard(..) => {}
        }
    }

    fn on_delivery(&mut self, at: usize, stamp: &Stamp, now_ns: u64) {
        self.record.counts.deliveries += 1;
        let since_ns = stamp.since_due_ns(now_ns);
        self.record.slices.record(now_ns, since_ns);
        if self.window_ns.contains(&stamp.due_ns) {
            self.record.deliveries.record(since_ns);
        }
        let sender = at.checked_sub(self.load.subscribers as usize);
        if self.load.is_echoed() && sender == Some(stamp.stream as usize) {
            self.on_answer(at, None, now_ns);
        }
        let Some(ear) = self.ears.get_mut(at).and_then(Option::as_mut) else { return };
        if self.load.layout.channel(stamp.stream) != ear.channel {
            self.record.tally.foreign += 1;
            return;
        }
        let expected = ear.next.unwrap_or_else(|| stamp.seq.min(ear.from));
        if stamp.seq < expected {
            self.record.tally.duplicated += 1;
            return;
        }
        self.record.tally.lost += u64::from(stamp.seq - expected);
        ear.next = Some(stamp.seq + 1);
    }

    fn on_answer(&mut self, at: usize, refused: Option<String>, now_ns: u64) {
        let which = at.checked_sub(self.load.subscribers as usize);
        let sender = which.and_then(|which| self.senders.get_mut(which));
        let Some(message) = sender.and_then(Sender::answered) else { return };
        match refused {
            Some(why) => *self.record.refused.entry(why).or_default() += 1,
            None => {
                self.record.counts.acknowledged += 1;
                if let Some(all) = self.acknowledged_ns.get_mut(message.stream as usize) {
                    all.push(now_ns);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load::LONGEST_NS;

    #[test]
    fn the_longest_run_is_shown_to_its_end() {
        let check = |end_ns: u64, at_ns: u64, shown_ns: Range<u64>| {
            let mut hall = Hall::new(Load::sample(), Vec::new());
            hall.begin(0, end_ns, 0..end_ns);
            hall.record.slices.record(at_ns, 1);
            let last = hall.record.slices.all().last().map(|slice| slice.at_ns);
            assert!(last.is_some_and(|last| shown_ns.contains(&last)), "{end_ns}: {last:?}");
        };
        for end_ns in [LONGEST_NS, 2 * LONGEST_NS] {
            check(end_ns, end_ns - 1, end_ns / 100 * 99..end_ns);
        }
        check(OPEN_ENDED_NS, SHOWN_NS - 1, SHOWN_NS / 100 * 99..SHOWN_NS);
    }
}
