//! What one run of load is: who publishes what to whom, and how fast.

use crate::client::dialect::Dialect;
use crate::pace::Pace;
use crate::record::check::Layout;
use protocol::Keep;

/// The longest time that an option may say.
pub(crate) const LONGEST_NS: u64 = 86_400_000_000_000;
/// The window of a run that ends when it is done: no options come to so much, not even warm-up and window together.
pub(crate) const OPEN_ENDED_NS: u64 = 3 * LONGEST_NS;

/// How publishers publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// One keep-alive HTTP connection for each publisher, in Cohesivity's dialect.
    Http,
    /// One WebSocket for each stream: a socket belongs to one channel. It hears that channel too.
    WebSocket,
}

/// The share of one generator among several: every nth subscriber and publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Which it is.
    pub(crate) nth: u32,
    /// How many there are.
    pub(crate) of: u32,
}

impl Part {
    /// The only one.
    pub(crate) const ALL: Self = Self { nth: 0, of: 1 };

    /// How many of so many are its own.
    pub(crate) fn share(self, count: u32) -> u32 {
        (count + self.of - 1 - self.nth) / self.of
    }

    /// Its own part of a rate, and at least one a second.
    pub(crate) fn rate(self, per_second: u64) -> u64 {
        (per_second / u64::from(self.of)).max(1)
    }

    /// The number among all of one of its own.
    pub(crate) fn global(self, own: u32) -> u32 {
        own * self.of + self.nth
    }

    /// The pace of its own: an open loop is one clock for all, a closed loop's window is dealt to those who have a sender.
    pub(crate) fn pace(self, pace: Pace, senders: u32) -> Pace {
        let (nth, of) = (u64::from(self.nth), u64::from(self.of.min(senders).max(1)));
        match pace {
            Pace::Open { .. } => pace,
            Pace::Closed { .. } if nth >= of => Pace::Closed { outstanding: 0 },
            Pace::Closed { outstanding } => {
                Pace::Closed { outstanding: (outstanding + of - 1 - nth) / of }
            }
        }
    }

    /// Which of its own has a number among all; `None`: it is another's.
    pub(crate) fn own(self, global: u32) -> Option<u32> {
        (global % self.of == self.nth).then_some(global / self.of)
    }
}

/// When an outstanding message is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DoneWhen {
    /// All subscribers of its channel have it.
    Delivered,
    /// The publish is acknowledged.
    Acknowledged,
}

/// One run of load.
#[derive(Debug)]
pub(crate) struct Load {
    /// Connections of this generator that only listen.
    pub(crate) subscribers: u32,
    /// Which generator this is.
    pub(crate) part: Part,
    /// Channels, publishers and their streams.
    pub(crate) layout: Layout,
    /// What those who hear speak, and who publishes on WebSockets.
    pub(crate) dialect: Dialect,
    /// How publishers publish.
    pub(crate) wire: Wire,
    /// Unacknowledged publishes on one connection at most.
    pub(crate) pipeline: usize,
    /// Bytes of the published JSON value.
    pub(crate) payload_bytes: usize,
    /// How messages follow each other.
    pub(crate) pace: Pace,
    /// When a closed loop sends the next one.
    pub(crate) done_when: DoneWhen,
    /// Whether the server keeps the messages.
    pub(crate) keep: Keep,
    /// Load before the window.
    pub(crate) warmup_ns: u64,
    /// The measured window.
    pub(crate) duration_ns: u64,
}

impl Load {
    /// Connections of this generator that publish.
    pub(crate) fn senders(&self) -> u32 {
        self.part.share(self.all_senders())
    }

    /// Which sender of this generator a released message is for; `None`: it is for another generator's.
    pub(crate) fn sender_of(&self, number: u64) -> Option<u32> {
        let turn = |of: u32| u32::try_from(number % u64::from(of.max(1))).unwrap_or(0);
        match self.pace {
            // All generators count all messages.
            Pace::Open { .. } => self.part.own(turn(self.all_senders())),
            Pace::Closed { .. } => Some(turn(self.senders())),
        }
    }

    /// Connections that publish, of all generators.
    pub(crate) fn all_senders(&self) -> u32 {
        match self.wire {
            Wire::Http => self.layout.publishers,
            Wire::WebSocket => self.layout.streams(),
        }
    }

    /// The streams of one sender.
    pub(crate) fn streams_of(&self, sender: u32) -> Vec<u32> {
        let sender = self.part.global(sender);
        match self.wire {
            Wire::Http => self.layout.streams_of(sender).collect(),
            Wire::WebSocket => vec![sender],
        }
    }

    /// The channel of each connection that hears: subscribers, then senders on WebSockets.
    pub(crate) fn heard_channels(&self) -> impl Iterator<Item = u32> {
        let senders = match self.wire {
            Wire::Http => 0,
            Wire::WebSocket => self.senders(),
        };
        let (layout, part, subscribers) = (self.layout, self.part, self.subscribers);
        (0..subscribers).chain(0..senders).map(move |own| layout.channel(part.global(own)))
    }

    /// Whether a publish is acknowledged by the message that comes back.
    #[inline]
    pub(crate) fn is_echoed(&self) -> bool {
        let is_answered = matches!(self.dialect, Dialect::Cohesivity | Dialect::Infrai);
        self.wire == Wire::WebSocket && !is_answered
    }

    /// Whether anything is asked for with Cohesivity's key.
    pub(crate) fn needs_application_key(&self) -> bool {
        let publishes_over_http = self.layout.publishers > 0 && self.wire == Wire::Http;
        self.dialect.is_ours() && (self.dialect == Dialect::Cohesivity || publishes_over_http)
    }

    /// Connections that hear.
    pub(crate) fn hearers(&self) -> usize {
        self.subscribers as usize
            + match self.wire {
                Wire::Http => 0,
                Wire::WebSocket => self.senders() as usize,
            }
    }

    /// Connections in all.
    pub(crate) fn connections(&self) -> usize {
        self.subscribers as usize + self.senders() as usize
    }
}

#[cfg(test)]
impl Load {
    /// A small load, of which tests change what they are about.
    pub(crate) fn sample() -> Self {
        Self {
            subscribers: 1,
            part: Part::ALL,
            layout: Layout { channels: 1, publishers: 1 },
            dialect: Dialect::Cohesivity,
            wire: Wire::Http,
            pipeline: 1,
            payload_bytes: 64,
            pace: Pace::Open { per_second: 10 },
            done_when: DoneWhen::Delivered,
            keep: Keep::Pass,
            warmup_ns: 0,
            duration_ns: 1_000_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generators_share_everything_and_nothing_twice() {
        for (count, of) in [(0, 1), (1, 3), (7, 3), (9, 3), (10, 1)] {
            let mut all: Vec<u32> = (0..of)
                .flat_map(|nth| {
                    let part = Part { nth, of };
                    (0..part.share(count)).map(move |own| part.global(own))
                })
                .collect();
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>(), "{count} among {of}");
        }
        for (window, senders, each) in
            [(7, 5, [3, 2, 2]), (3, 9, [1, 1, 1]), (8, 2, [4, 4, 0]), (1, 1, [1, 0, 0])]
        {
            for (nth, outstanding) in (0..).zip(each) {
                let pace = Part { nth, of: 3 }.pace(Pace::Closed { outstanding: window }, senders);
                assert_eq!(pace, Pace::Closed { outstanding }, "{window} among {senders}: {nth}");
            }
        }
        let open = Pace::Open { per_second: 7 };
        assert_eq!(Part { nth: 2, of: 3 }.pace(open, 1), open);
        let part = Part { nth: 1, of: 3 };
        assert_eq!([part.own(0), part.own(1), part.own(7)], [None, Some(0), Some(2)]);
    }
}
