//! Time: who took too long, who fell silent, and how the node says goodbye.

use protocol::Rejection;
use protocol::dialect::Dialect;
use protocol::dialect::insforge::plain::CLOSE_NOT_AUTHENTICATED;
use protocol::engineio;
use protocol::ws::{self, CloseCode};

use super::Shard;
use super::effects::{Effects, Ending};
use crate::ids::ConnId;
use crate::limits::Limits;
use crate::planted::{self, Fault};
use crate::session::{Slot, Speech, State};

/// Channels that are looked at in one tick to see whether anyone still uses them.
const SWEPT_PER_TICK: usize = 256;

/// What a connection has to do, and by when.
enum Duty {
    /// Finish what it began.
    Finish(u64),
    /// Ask for something.
    Ask(u64),
    /// Say anything; else it is pinged.
    Speak(u64),
    /// Answer a ping.
    Answer(u64),
    /// Go: its token expires.
    Go(u64),
    /// Say who it is.
    Introduce(u64),
    /// Nothing.
    Nothing,
}

impl Shard {
    /// Has the wheel look at the connection in time.
    pub(super) fn watch(&mut self, conn: ConnId) {
        let limits = &self.limits;
        let Some(slot) = self.sessions.slot(conn) else { return };
        let at_ms = match duty(slot, limits) {
            Duty::Finish(at_ms)
            | Duty::Ask(at_ms)
            | Duty::Speak(at_ms)
            | Duty::Answer(at_ms)
            | Duty::Go(at_ms)
            | Duty::Introduce(at_ms) => at_ms,
            Duty::Nothing => return,
        };
        if at_ms < slot.scheduled_ms {
            slot.scheduled_ms = at_ms;
            self.deadlines.set(conn, at_ms);
        }
    }

    pub(super) fn on_tick(&mut self, effects: &mut Effects) {
        self.broker.sweep(SWEPT_PER_TICK);
        self.revoked.sweep(self.now.wall_ms / 1000, SWEPT_PER_TICK);
        self.forget_polls();
        self.ask_again(effects);
        let mut due = std::mem::take(&mut self.due);
        self.deadlines.advance(self.now.monotonic_ms, &mut due);
        for conn in due.drain(..) {
            if let Some(slot) = self.sessions.slot(conn) {
                slot.scheduled_ms = u64::MAX;
                self.remind(conn, effects);
                self.watch(conn);
            }
        }
        self.due = due;
    }

    fn remind(&mut self, conn: ConnId, effects: &mut Effects) {
        let now_ms = self.now.monotonic_ms;
        let Some(slot) = self.sessions.slot(conn) else { return };
        match duty(slot, &self.limits) {
            Duty::Finish(_) if planted::is(Fault::HalfStays) => {}
            Duty::Answer(_) if planted::is(Fault::SilenceIgnored) => {}
            Duty::Finish(at_ms) if at_ms <= now_ms => self.give_up(conn, effects),
            Duty::Ask(at_ms) if at_ms <= now_ms => {
                slot.state = State::Ending;
                super::close(conn, Ending::Flush, &mut effects.closes);
            }
            Duty::Speak(at_ms) if at_ms <= now_ms => self.ping(conn),
            Duty::Answer(at_ms) if at_ms <= now_ms => {
                let why = "no answer to a ping: pong_timeout_ms";
                self.end_socket(conn, CloseCode::Policy, why, effects);
            }
            Duty::Go(at_ms) if at_ms <= now_ms => {
                self.end_socket(conn, CloseCode::Policy, "token expired", effects);
            }
            Duty::Introduce(at_ms) if at_ms <= now_ms => self.end_stranger(conn, effects),
            Duty::Finish(_)
            | Duty::Ask(_)
            | Duty::Speak(_)
            | Duty::Answer(_)
            | Duty::Go(_)
            | Duty::Introduce(_)
            | Duty::Nothing => {}
        }
    }

    fn give_up(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(slot) = self.sessions.slot(conn) else { return };
        match &slot.state {
            State::Http(_) => {
                let is_in_body = slot.is_in_body();
                let limit = if is_in_body { "body_timeout_ms" } else { "head_timeout_ms" };
                let closes = &mut effects.closes;
                self.reject_and_close(conn, &Rejection::TimedOut { limit }, closes);
            }
            State::Socket(_) => {
                let why = "message took too long: body_timeout_ms";
                self.end_socket(conn, CloseCode::Policy, why, effects);
            }
            State::Arriving => self.end_passing(conn, effects),
            State::Leaving(_) | State::Passing(..) | State::Ending => {}
        }
    }

    fn ping(&mut self, conn: ConnId) {
        let now_ms = self.now.monotonic_ms;
        let Some(socket) = self.sessions.socket(conn) else { return };
        socket.pinged_at_ms = now_ms;
        let is_packet = socket.insforge().is_some_and(|it| it.note_ping(now_ms));
        self.turn.write(&self.hub, conn, socket.groups(), |out| {
            if is_packet { engineio::frame_ping(out) } else { ws::append_ping(out, b"") }
        });
    }

    /// A client did not say in time who it is.
    fn end_stranger(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(dialect) = self.socket(conn).map(|it| it.dialect()) else { return };
        if dialect == Dialect::InsforgePlain {
            self.part(conn, effects, |out| {
                ws::append_close_number(out, CLOSE_NOT_AUTHENTICATED, "Not authenticated");
            });
        } else {
            self.end_socket(conn, CloseCode::Normal, "", effects);
        }
    }

    /// Says goodbye to clients at once, and to servers once they have their answers.
    pub(super) fn on_drain(&mut self, code: CloseCode, effects: &mut Effects) {
        self.health.draining = true;
        let conns: Vec<_> = self.sessions.conns().collect();
        for conn in conns {
            let Some(slot) = self.sessions.slot(conn) else { continue };
            match &slot.state {
                State::Socket(_) => {
                    self.warn_of_end(conn);
                    self.end_socket(conn, code, "server is shutting down", effects);
                }
                State::Http(http) if http.tickets.is_empty() && slot.carry.is_empty() => {
                    slot.state = State::Ending;
                    super::close(conn, Ending::Flush, &mut effects.closes);
                }
                State::Http(_)
                | State::Leaving(_)
                | State::Passing(..)
                | State::Arriving
                | State::Ending => {}
            }
        }
    }
}

fn duty(slot: &Slot, limits: &Limits) -> Duty {
    match &slot.state {
        State::Http(http) => match (slot.since_ms, http.tickets.is_empty()) {
            (_, false) => Duty::Nothing,
            (0, true) => Duty::Ask(slot.heard_at_ms + limits.idle_timeout_ms),
            (since_ms, true) if slot.is_in_body() => {
                Duty::Finish(since_ms + limits.body_timeout_ms)
            }
            (since_ms, true) => Duty::Finish(since_ms + limits.head_timeout_ms),
        },
        State::Socket(socket) => {
            let client = match &socket.speech {
                Speech::Insforge(client) => Some(client),
                Speech::Cohesivity | Speech::Infrai(_) => None,
            };
            // A client of Engine.IO counts on its pings, whatever it says itself.
            let (speak_ms, answer_ms) = match client.and_then(|it| it.last_ping_ms()) {
                Some(last_ms) => (
                    last_ms + u64::from(limits.heartbeat.interval_ms),
                    u64::from(limits.heartbeat.timeout_ms),
                ),
                None => (slot.heard_at_ms + limits.ping_interval_ms, limits.pong_timeout_ms),
            };
            let (at_ms, due): (u64, fn(u64) -> Duty) = match (slot.since_ms, socket.pinged_at_ms) {
                (0, 0) => (speak_ms, Duty::Speak),
                (0, pinged_at_ms) => (pinged_at_ms + answer_ms, Duty::Answer),
                (since_ms, _) => (since_ms + limits.body_timeout_ms, Duty::Finish),
            };
            if let Some(client) = client
                && client.known.is_none()
                && client.introduced_by_ms <= at_ms
            {
                return Duty::Introduce(client.introduced_by_ms);
            }
            match &socket.lease {
                Some(lease) if lease.ends_at_ms <= at_ms => Duty::Go(lease.ends_at_ms),
                Some(_) | None => due(at_ms),
            }
        }
        State::Arriving => Duty::Finish(slot.since_ms + limits.head_timeout_ms),
        State::Leaving(_) | State::Passing(..) | State::Ending => Duty::Nothing,
    }
}
