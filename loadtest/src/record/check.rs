//! Checks every sequence number at every subscriber: lost, doubled, out of order.

use std::collections::BTreeMap;
use std::ops::Range;

/// How streams, channels and their audience belong together.
///
/// A stream is one publisher's messages to one channel. With more channels than publishers each
/// channel has one stream, else each publisher has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Channels.
    pub(crate) channels: u32,
    /// Publishers.
    pub(crate) publishers: u32,
}

impl Layout {
    /// The number of streams.
    pub(crate) fn streams(self) -> u32 {
        self.channels.max(self.publishers)
    }

    /// The channel of a stream.
    pub(crate) fn channel(self, stream: u32) -> u32 {
        stream % self.channels
    }

    /// The streams of one publisher.
    pub(crate) fn streams_of(self, publisher: u32) -> impl Iterator<Item = u32> {
        (publisher..self.streams()).step_by(self.publishers as usize)
    }

    /// Streams of one channel at most: counters that each of its subscribers needs.
    fn streams_per_channel(self) -> u32 {
        self.streams().div_ceil(self.channels)
    }
}

/// What one received sequence number turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Never seen before by this subscriber.
    New,
    /// Seen before.
    Duplicate,
    /// Of a channel this subscriber has not asked for, or never sent.
    Foreign,
}

/// What was wrong, over all subscribers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Sent, not refused, never received.
    pub(crate) lost: u64,
    /// Received again.
    pub(crate) duplicated: u64,
    /// Received after a later one of the same stream.
    pub(crate) reordered: u64,
    /// Received by someone who should not have.
    pub(crate) foreign: u64,
    /// Received with another payload than sent.
    pub(crate) damaged: u64,
}

/// The next expected sequence number of each stream at each subscriber, and the gaps behind it.
#[derive(Debug)]
pub(crate) struct Checker {
    layout: Layout,
    /// Streams, and counters of each subscriber: both asked for at each delivery.
    streams: u32,
    counters: usize,
    expected: Vec<u32>,
    channel_of: Vec<u32>,
    missing: BTreeMap<(u32, u32), Vec<Range<u32>>>,
    tally: Tally,
}

impl Checker {
    /// A checker without subscribers.
    pub(crate) fn new(layout: Layout) -> Self {
        let tally = Tally::default();
        let (expected, channel_of) = (Vec::new(), Vec::new());
        let (streams, counters) = (layout.streams(), layout.streams_per_channel() as usize);
        Self { layout, streams, counters, expected, channel_of, missing: BTreeMap::new(), tally }
    }

    /// Adds a subscriber of a channel; its number is the count of those before it.
    pub(crate) fn add_subscriber(&mut self, channel: u32) {
        self.channel_of.push(channel);
        self.expected.resize(self.expected.len() + self.counters, 0);
    }

    /// Whether anybody hears anything.
    pub(crate) fn has_subscribers(&self) -> bool {
        !self.channel_of.is_empty()
    }

    /// Notes one received message.
    #[inline]
    pub(crate) fn observe(&mut self, subscriber: u32, stream: u32, seq: u32) -> Seen {
        let channels = self.layout.channels;
        let at = subscriber as usize * self.counters + (stream / channels) as usize;
        let expected = match (self.channel_of.get(subscriber as usize), self.expected.get_mut(at)) {
            (Some(channel), Some(expected))
                if *channel == stream % channels && stream < self.streams =>
            {
                expected
            }
            _ => {
                self.tally.foreign += 1;
                return Seen::Foreign;
            }
        };
        if seq == *expected {
            *expected = seq.wrapping_add(1);
            return Seen::New;
        }
        let skipped = *expected..seq;
        if seq > skipped.start {
            *expected = seq.wrapping_add(1);
            self.missing.entry((subscriber, stream)).or_default().push(skipped);
            return Seen::New;
        }
        self.observe_late(subscriber, stream, seq)
    }

    /// Notes a message whose payload was not what was sent.
    pub(crate) fn observe_damaged(&mut self) {
        self.tally.damaged += 1;
    }

    #[cold]
    fn observe_late(&mut self, subscriber: u32, stream: u32, seq: u32) -> Seen {
        let gaps = self.missing.entry((subscriber, stream)).or_default();
        let Some(at) = gaps.iter().position(|gap| gap.contains(&seq)) else {
            self.tally.duplicated += 1;
            return Seen::Duplicate;
        };
        let gap = gaps.swap_remove(at);
        let halves = [gap.start..seq, seq + 1..gap.end];
        gaps.extend(halves.into_iter().filter(|half| !half.is_empty()));
        self.tally.reordered += 1;
        Seen::New
    }

    /// Counts what never came. `sent` is the number of messages of each stream; a refused one is not lost.
    pub(crate) fn finish(&self, sent: &[u32], refused: &[(u32, u32)]) -> Tally {
        let mut refused_of: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (stream, seq) in refused {
            refused_of.entry(*stream).or_default().push(*seq);
        }
        let lost_of = |stream: u32, gap: &Range<u32>| {
            let excused = refused_of
                .get(&stream)
                .map_or(0, |refused| refused.iter().filter(|seq| gap.contains(seq)).count());
            (gap.len() - excused) as u64
        };
        let mut lost = 0;
        for (stream, rest) in self.each_expected(sent) {
            lost += lost_of(stream, &rest);
        }
        for ((_, stream), gaps) in &self.missing {
            lost += gaps.iter().map(|gap| lost_of(*stream, gap)).sum::<u64>();
        }
        Tally { lost, ..self.tally }
    }

    /// For each subscriber and each of its streams: what never came after the last that came.
    fn each_expected(&self, sent: &[u32]) -> impl Iterator<Item = (u32, Range<u32>)> {
        let counters = self.expected.chunks(self.counters);
        self.channel_of.iter().zip(counters).flat_map(move |(channel, counters)| {
            counters.iter().zip(0_u32..).filter_map(move |(expected, nth)| {
                let stream = channel + nth * self.layout.channels;
                let sent = sent.get(stream as usize)?;
                Some((stream, *expected..*sent))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Layout = Layout { channels: 1, publishers: 1 };

    fn check(seqs: &[u32], sent: u32, tally: Tally) {
        let mut checker = Checker::new(ONE);
        checker.add_subscriber(0);
        for seq in seqs {
            checker.observe(0, 0, *seq);
        }
        assert_eq!(checker.finish(&[sent], &[]), tally, "{seqs:?} of {sent}");
    }

    #[test]
    fn faults_are_told_apart() {
        let clean = Tally::default();
        check(&[0, 1, 2], 3, clean);
        check(&[0, 2], 3, Tally { lost: 1, ..clean });
        check(&[0, 1], 4, Tally { lost: 2, ..clean });
        check(&[], 2, Tally { lost: 2, ..clean });
        check(&[0, 1, 1, 2], 3, Tally { duplicated: 1, ..clean });
        check(&[0, 2, 1], 3, Tally { reordered: 1, ..clean });
        check(&[3, 0, 1, 2], 4, Tally { reordered: 3, ..clean });
        check(&[3, 1, 1], 4, Tally { lost: 2, reordered: 1, duplicated: 1, ..clean });
        check(&[0, 5, 2, 2, 4], 6, Tally { lost: 2, reordered: 2, duplicated: 1, ..clean });
    }

    #[test]
    fn a_refused_message_is_not_lost() {
        let mut checker = Checker::new(ONE);
        checker.add_subscriber(0);
        checker.add_subscriber(0);
        for seq in [0, 2] {
            checker.observe(0, 0, seq);
            checker.observe(1, 0, seq);
        }
        assert_eq!(checker.finish(&[5], &[(0, 1), (0, 4)]).lost, 2, "number 3, twice");
    }

    #[test]
    fn each_publisher_of_a_channel_counts_for_itself() {
        let layout = Layout { channels: 2, publishers: 5 };
        assert_eq!(layout.streams(), 5);
        let mut checker = Checker::new(layout);
        checker.add_subscriber(0);
        checker.add_subscriber(1);
        for (subscriber, stream) in [(0, 0), (0, 2), (0, 4), (1, 1), (1, 3)] {
            assert_eq!(checker.observe(subscriber, stream, 0), Seen::New);
        }
        assert_eq!(checker.observe(0, 1, 0), Seen::Foreign);
        assert_eq!(checker.observe(1, 5, 0), Seen::Foreign);
        assert_eq!(checker.observe(7, 0, 0), Seen::Foreign);
        assert_eq!(checker.finish(&[1; 5], &[]), Tally { foreign: 3, ..Tally::default() });
        assert_eq!(checker.finish(&[2; 5], &[]).lost, 5);
    }

    #[test]
    fn a_publisher_of_many_channels_has_a_stream_for_each() {
        let layout = Layout { channels: 5, publishers: 2 };
        assert_eq!(layout.streams_of(0).collect::<Vec<_>>(), [0, 2, 4]);
        assert_eq!(layout.streams_of(1).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(
            (0..5).map(|stream| layout.channel(stream)).collect::<Vec<_>>(),
            [0, 1, 2, 3, 4]
        );
    }
}
