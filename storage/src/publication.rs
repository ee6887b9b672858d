//! One message of one channel, as the journal, every shard and every dialect see it. It never changes once made.

use std::sync::Arc;

use crate::ids::{ChannelKey, Epoch, MessageId, Offset};

/// Who sent a message: what lists of messages call the sender's type.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SenderKind {
    /// A server, with a key of the tenant.
    #[default]
    System,
    /// A member or client, whether it has a name or not.
    User,
}

impl SenderKind {
    /// What a sender's name alone says: a server has none.
    #[must_use]
    pub fn of(sender: &str) -> Self {
        if sender.is_empty() { Self::System } else { Self::User }
    }
}

/// What a publication is made of, borrowed from wherever it came.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// Where it was published.
    pub channel: &'a Arc<ChannelKey>,
    /// The run of offsets that `offset` belongs to.
    pub epoch: Epoch,
    /// Its place; `None` for a message that is not kept.
    pub offset: Option<Offset>,
    /// Unique, and rising in time.
    pub id: MessageId,
    /// When its home took it, in milliseconds since 1970.
    pub at_ms: u64,
    /// The member or client that sent it; empty for a server.
    pub sender: &'a str,
    /// What kind of sender it is.
    pub sender_kind: SenderKind,
    /// The event name.
    pub event: &'a str,
    /// What was published, byte for byte (invariant 14).
    pub payload: &'a [u8],
    /// Hash of the idempotency key, if it came with one.
    pub idempotency: Option<u128>,
}

/// One message with its place in its channel.
#[derive(Debug, Eq, PartialEq)]
pub struct Publication {
    channel: Arc<ChannelKey>,
    id: MessageId,
    idempotency: Option<u128>,
    offset: Option<Offset>,
    at_ms: u64,
    epoch: Epoch,
    sender_bytes: u32,
    event_bytes: u32,
    sender_kind: SenderKind,
    /// Sender, event and payload, one after the other: one allocation.
    text: Box<[u8]>,
}

impl Publication {
    /// Copies the draft: the only copy of the payload on its way to the subscribers.
    ///
    /// # Panics
    /// When sender or event are longer than 4 GiB, which the decoders' limits exclude.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the decoders limit both to a few hundred bytes")]
    pub fn new(draft: &Draft<'_>) -> Self {
        let length = draft.sender.len() + draft.event.len() + draft.payload.len();
        let mut text = Vec::with_capacity(length);
        text.extend_from_slice(draft.sender.as_bytes());
        text.extend_from_slice(draft.event.as_bytes());
        text.extend_from_slice(draft.payload);
        Self {
            channel: Arc::clone(draft.channel),
            id: draft.id,
            idempotency: draft.idempotency,
            offset: draft.offset,
            at_ms: draft.at_ms,
            epoch: draft.epoch,
            sender_bytes: u32::try_from(draft.sender.len()).expect("a sender is short"),
            event_bytes: u32::try_from(draft.event.len()).expect("an event name is short"),
            sender_kind: draft.sender_kind,
            text: text.into_boxed_slice(),
        }
    }

    /// Gives it the place that its channel's home decided on.
    pub fn place(&mut self, epoch: Epoch, offset: Option<Offset>, id: MessageId, at_ms: u64) {
        self.epoch = epoch;
        self.offset = offset;
        self.id = id;
        self.at_ms = at_ms;
    }

    /// Where it was published.
    #[must_use]
    pub fn channel(&self) -> &Arc<ChannelKey> {
        &self.channel
    }

    /// The run of offsets it belongs to.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Its place; `None` for a message that is not kept.
    #[must_use]
    pub fn offset(&self) -> Option<Offset> {
        self.offset
    }

    /// Unique, and rising in time.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// When its home took it, in milliseconds since 1970.
    #[must_use]
    pub fn at_ms(&self) -> u64 {
        self.at_ms
    }

    /// Hash of the idempotency key, if it came with one.
    #[must_use]
    pub fn idempotency(&self) -> Option<u128> {
        self.idempotency
    }

    /// The member or client that sent it; empty for a server.
    #[must_use]
    pub fn sender(&self) -> &str {
        self.str_at(0, self.sender_bytes as usize)
    }

    /// What kind of sender that is.
    #[must_use]
    pub fn sender_kind(&self) -> SenderKind {
        self.sender_kind
    }

    /// The event name.
    #[must_use]
    pub fn event(&self) -> &str {
        let start = self.sender_bytes as usize;
        self.str_at(start, start + self.event_bytes as usize)
    }

    /// What was published, byte for byte.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        let start = self.sender_bytes as usize + self.event_bytes as usize;
        self.text.get(start..).unwrap_or_default()
    }

    /// The bytes of sender, event and payload together.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Sender, event and payload, one after the other.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The bytes of the sender in it.
    pub(crate) fn sender_bytes(&self) -> usize {
        self.sender_bytes as usize
    }

    /// The bytes of the event name in it.
    pub(crate) fn event_bytes(&self) -> usize {
        self.event_bytes as usize
    }

    fn str_at(&self, start: usize, end: usize) -> &str {
        self.text.get(start..end).and_then(|it| std::str::from_utf8(it).ok()).unwrap_or_default()
    }
}
