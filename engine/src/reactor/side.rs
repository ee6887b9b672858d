//! The way from a core to the side threads and back. The core never waits for them.

use std::collections::VecDeque;

use protocol::Rejection;

use crate::ids::{CallId, ConnId};
use crate::shard::effects::Effects;
use crate::side::webhook::{Hooked, HooksAsk, WebhookLink};
use crate::side::{SideAnswer, SideLink};

/// What is asked of threads that are not there.
const ABSENT: Rejection = Rejection::Unimplemented { what: "the side threads do not run" };

/// The side threads, as a core sees them.
pub struct SidePort {
    /// `None` on a node without side threads.
    link: Option<SideLink>,
    /// `None` on a node without webhooks.
    webhooks: Option<WebhookLink>,
    /// What nobody took.
    unhooked: Vec<Hooked>,
    /// The connections that answers stream to.
    streams: Vec<(CallId, ConnId)>,
    /// Parts whose connection has enough to send, and what follows them, in the order in which they came. The credit of a call
    /// bounds how much of it is here.
    held: VecDeque<(CallId, SideAnswer)>,
    ready: VecDeque<(CallId, SideAnswer)>,
}

impl SidePort {
    /// A way to the side threads, and to webhooks; without them every ask is refused.
    #[must_use]
    pub fn new(link: Option<SideLink>, webhooks: Option<WebhookLink>) -> Self {
        Self {
            link,
            webhooks,
            unhooked: Vec::new(),
            streams: Vec::new(),
            held: VecDeque::new(),
            ready: VecDeque::new(),
        }
    }

    /// Hands over what an input asks for.
    pub fn send(&mut self, effects: &mut Effects) {
        for ask in effects.hooks.drain(..) {
            match &self.webhooks {
                Some(link) => link.set(ask),
                None => {
                    let HooksAsk { tenant, version, .. } = ask;
                    self.unhooked.push(Hooked { tenant, version, result: Err(ABSENT) });
                }
            }
        }
        for ask in effects.side.drain(..) {
            let (call, begins) = (ask.call(), ask.begins());
            if let Some(conn) = ask.streams_to() {
                self.streams.push((call, conn));
            }
            let is_sent = self.link.as_ref().is_some_and(|it| it.send(ask));
            if begins && !is_sent {
                self.ready.push_back((call, SideAnswer::Failed(ABSENT)));
            }
        }
    }

    /// Looks what came. A part whose connection has no room is held, so that a slow client slows its stream down and nothing else.
    pub fn reap(&mut self, has_room: impl Fn(ConnId) -> bool) {
        let came = std::iter::from_fn(|| self.link.as_ref()?.take());
        self.held.extend(came);
        for _ in 0..self.held.len() {
            let Some((call, answer)) = self.held.pop_front() else { return };
            let stream = self.streams.iter().find(|(it, _)| *it == call);
            let is_free = stream.is_none_or(|(_, conn)| has_room(*conn));
            let is_part = matches!(answer, SideAnswer::Part(_));
            let is_alone = self.held.iter().all(|(it, _)| *it != call);
            if !is_free && (is_part || !is_alone) {
                self.held.push_back((call, answer));
                continue;
            }
            if answer.is_last() {
                self.streams.retain(|(it, _)| *it != call);
            }
            self.ready.push_back((call, answer));
        }
    }

    /// The next answer.
    pub fn take(&mut self) -> Option<(CallId, SideAnswer)> {
        self.ready.pop_front()
    }

    /// What came of webhooks that were to be set.
    pub fn take_hooked(&mut self) -> Option<Hooked> {
        self.unhooked.pop().or_else(|| self.webhooks.as_ref()?.take())
    }

    /// Whether nothing waits to be taken. What is held waits for a connection, whose completion wakes the core.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let is_hooked = self.webhooks.as_ref().is_none_or(WebhookLink::is_quiet);
        is_hooked
            && self.unhooked.is_empty()
            && self.ready.is_empty()
            && self.link.as_ref().is_none_or(SideLink::is_quiet)
    }
}
