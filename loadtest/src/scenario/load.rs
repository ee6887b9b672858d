//! What one run of load is: who publishes what to whom, and how fast.

use crate::client::dialect::Dialect;
use crate::pace::Pace;
use crate::record::check::Layout;
use protocol::Keep;

/// How publishers publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// One keep-alive HTTP connection for each publisher, in Cohesivity's dialect.
    Http,
    /// One WebSocket for each stream: a socket belongs to one channel. It hears that channel too.
    WebSocket,
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
    /// Connections that only listen.
    pub(crate) subscribers: u32,
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
    /// Connections that publish.
    pub(crate) fn senders(&self) -> u32 {
        match self.wire {
            Wire::Http => self.layout.publishers,
            Wire::WebSocket => self.layout.streams(),
        }
    }

    /// The streams of one sender.
    pub(crate) fn streams_of(&self, sender: u32) -> Vec<u32> {
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
        let (layout, subscribers) = (self.layout, self.subscribers);
        (0..subscribers).chain(0..senders).map(move |nth| layout.channel(nth))
    }

    /// Whether a publish is acknowledged by the message that comes back.
    #[inline]
    pub(crate) fn is_echoed(&self) -> bool {
        self.dialect == Dialect::Insforge && self.wire == Wire::WebSocket
    }

    /// Whether anything is asked for with Cohesivity's key.
    pub(crate) fn needs_application_key(&self) -> bool {
        let publishes_over_http = self.layout.publishers > 0 && self.wire == Wire::Http;
        self.dialect == Dialect::Cohesivity || publishes_over_http
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
