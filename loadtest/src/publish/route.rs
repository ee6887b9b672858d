//! One connection and the lines that go over it: waiting, in flight, and to be sent again.
//!
//! Lines are sent in their order. When the server has no room for one, nothing more is sent before all that is in flight was
//! answered; then the refused ones go first. So lines can only pass others that were in flight with them.

use super::summary::{Blame, Summary};
use super::wire::Wire;
use super::{OnError, Options};
use crate::client::conn::{Arrived, Conn, Stage};
use crate::client::response::{self, Response};
use crate::client::socket::{self, Poller, Ready};
use crate::failure::Failure;
use serde_json::Value;
use std::collections::VecDeque;
use std::net::SocketAddr;

const TRIES_MAX: u32 = 10;
const RETRY_NS_MIN: u64 = 100_000_000;
const RETRY_NS_MAX: u64 = 60_000_000_000;
/// How long an answer may take.
const SILENCE_NS_MAX: u64 = 30_000_000_000;
const WAITING_BYTES_MAX: usize = 4 << 20;
const REASON_CHARS_MAX: usize = 200;
const CANNOT_CONNECT: &str = "cannot connect to the server";

/// A line on its way.
pub(super) struct Entry {
    number: u64,
    body: Vec<u8>,
    tries: u32,
    /// Its batch was refused: it is sent alone, to see which line it was.
    is_alone: bool,
}

impl Entry {
    /// A line that was not sent yet.
    pub(super) fn new(number: u64, body: Vec<u8>) -> Self {
        Self { number, body, tries: 0, is_alone: false }
    }
}

/// One connection and its lines.
pub(super) struct Route {
    index: usize,
    to: SocketAddr,
    conn: Option<Conn>,
    /// Whether a connection ever came about; before that a refusal to connect ends everything.
    was_connected: bool,
    connect_tries: u32,
    waiting: VecDeque<Entry>,
    waiting_bytes: usize,
    in_flight: VecDeque<Vec<Entry>>,
    again: Vec<Entry>,
    /// Nothing is sent before.
    resume_ns: u64,
    /// When something was last sent or answered.
    active_ns: u64,
}

impl Route {
    /// A connection to be made once there is something to send.
    pub(super) fn new(index: usize, to: SocketAddr) -> Self {
        Self {
            index,
            to,
            conn: None,
            was_connected: false,
            connect_tries: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            in_flight: VecDeque::new(),
            again: Vec::new(),
            resume_ns: 0,
            active_ns: 0,
        }
    }

    /// Whether it takes another line: at most as many wait as fill its window once more.
    pub(super) fn has_room(&self, options: &Options) -> bool {
        self.waiting.len() < options.window * options.batch
            && self.waiting_bytes < WAITING_BYTES_MAX
    }

    /// Takes a line.
    pub(super) fn push(&mut self, entry: Entry) {
        self.waiting_bytes += entry.body.len();
        self.waiting.push_back(entry);
    }

    /// Whether every line was answered.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty() && self.again.is_empty()
    }

    /// When it has to be looked at, if nothing arrives.
    pub(super) fn due_ns(&self) -> Option<u64> {
        let can_send = self.in_flight.is_empty() && !self.waiting.is_empty();
        can_send.then_some(self.resume_ns)
    }

    /// Forgets what was not sent; how many lines that is.
    pub(super) fn drop_waiting(&mut self) -> u64 {
        let count = self.waiting.len() + self.again.len();
        self.waiting.clear();
        self.again.clear();
        self.waiting_bytes = 0;
        count as u64
    }

    /// Counts what is left as lost or never sent.
    pub(super) fn give_up(&mut self, summary: &mut Summary) {
        summary.unsent += self.drop_waiting();
        self.lose(summary);
    }

    /// Closes the connection.
    pub(super) fn close(&mut self, poller: &Poller) {
        if let Some(mut conn) = self.conn.take() {
            conn.close(poller);
        }
    }

    /// Sends what may be sent. Unless `is_over`, a batch that is not full waits while others are in flight.
    pub(super) fn send(
        &mut self,
        now_ns: u64,
        wire: &Wire,
        (options, is_over): (&Options, bool),
        poller: &Poller,
    ) -> Result<(), Failure> {
        if self.in_flight.is_empty() {
            for entry in self.again.drain(..).rev() {
                self.waiting_bytes += entry.body.len();
                self.waiting.push_front(entry);
            }
        }
        if self.waiting.is_empty() || now_ns < self.resume_ns || !self.again.is_empty() {
            return Ok(());
        }
        if self.conn.is_none() {
            return self.open(now_ns, poller);
        }
        let Some(conn) = self.conn.as_mut().filter(|it| it.stage == Stage::Live) else {
            return Ok(());
        };
        while self.in_flight.len() < options.window {
            let is_full = self.waiting.len() >= options.batch;
            if !(is_full || is_over || self.in_flight.is_empty()) {
                break;
            }
            let Some(entries) = next_request(&mut self.waiting, options.batch) else { break };
            self.waiting_bytes -= entries.iter().map(|it| it.body.len()).sum::<usize>();
            match entries.as_slice() {
                [one] => wire.one(conn.out(), &one.body),
                many => wire.many(conn.out(), many.iter().map(|it| it.body.as_slice())),
            }
            if self.in_flight.is_empty() {
                self.active_ns = now_ns;
            }
            self.in_flight.push_back(entries);
        }
        if conn.flush(self.index, poller).is_err() {
            // The read that follows says what was answered before it broke.
            conn.out().clear();
        }
        Ok(())
    }

    fn open(&mut self, now_ns: u64, poller: &Poller) -> Result<(), Failure> {
        let socket = socket::open(self.to, None).map_err(Failure::io(CANNOT_CONNECT))?;
        let conn = Conn::new(socket, self.index, poller).map_err(Failure::io(CANNOT_CONNECT))?;
        self.active_ns = now_ns;
        self.conn = Some(conn);
        Ok(())
    }

    /// Reads answers, and goes on writing.
    pub(super) fn on_ready(
        &mut self,
        ready: Ready,
        now_ns: u64,
        buffer: &mut [u8],
        (poller, summary): (&Poller, &mut Summary),
    ) -> Result<(), Failure> {
        let Some(conn) = self.conn.as_mut() else { return Ok(()) };
        if conn.stage == Stage::Connecting {
            return self.on_connected(now_ns, poller);
        }
        if ready.can_write && conn.flush(self.index, poller).is_err() {
            conn.out().clear();
        }
        if !ready.can_read {
            return Ok(());
        }
        match conn.read(buffer) {
            Arrived::Nothing => Ok(()),
            Arrived::Ended => {
                self.end(poller, summary);
                Ok(())
            }
            Arrived::Bytes(count) => {
                self.on_answers(buffer.get(..count).unwrap_or_default(), now_ns, summary)
            }
        }
    }

    fn on_connected(&mut self, now_ns: u64, poller: &Poller) -> Result<(), Failure> {
        let Some(conn) = self.conn.as_mut() else { return Ok(()) };
        let Some(error) = conn.connect_error() else {
            conn.stage = Stage::Live;
            (self.was_connected, self.connect_tries) = (true, 0);
            return conn.flush(self.index, poller).map_err(Failure::io(CANNOT_CONNECT));
        };
        self.close(poller);
        self.connect_tries += 1;
        // A server that was there may be starting again.
        if !self.was_connected || self.connect_tries >= TRIES_MAX {
            return Err(Failure::io(CANNOT_CONNECT)(error));
        }
        self.resume_ns = now_ns + backoff_ns(self.connect_tries);
        Ok(())
    }

    fn on_answers(
        &mut self,
        mut bytes: &[u8],
        now_ns: u64,
        summary: &mut Summary,
    ) -> Result<(), Failure> {
        let no_http = || Failure::Server("the server's answer is not HTTP".to_owned());
        while let Some(answer) = response::first(bytes).map_err(|_| no_http())? {
            let entries = self.in_flight.pop_front().ok_or_else(no_http)?;
            self.active_ns = now_ns;
            self.on_answer(&answer, entries, now_ns, summary);
            bytes = bytes.get(answer.bytes..).unwrap_or_default();
        }
        if let Some(conn) = self.conn.as_mut() {
            conn.keep(bytes);
        }
        Ok(())
    }

    fn on_answer(
        &mut self,
        answer: &Response<'_>,
        mut entries: Vec<Entry>,
        now_ns: u64,
        summary: &mut Summary,
    ) {
        let tries = entries.first().map_or(0, |it| it.tries);
        match answer.status {
            200..=299 => summary.published += entries.len() as u64,
            429 | 503 if tries + 1 < TRIES_MAX => {
                let asked_ns = answer.retry_after_s.map(|it| it.saturating_mul(1_000_000_000));
                let wait_ns = asked_ns.unwrap_or_else(|| backoff_ns(tries)).min(RETRY_NS_MAX);
                self.resume_ns = self.resume_ns.max(now_ns + wait_ns);
                summary.retries += 1;
                entries.iter_mut().for_each(|it| it.tries += 1);
                self.again.append(&mut entries);
            }
            400 | 413 | 422 if entries.len() > 1 => {
                entries.iter_mut().for_each(|it| it.is_alone = true);
                self.again.append(&mut entries);
            }
            status => {
                let reason = format!("{status} {}", message(answer.body));
                for entry in entries {
                    summary.refuse(blame(status), reason.clone(), entry.number);
                }
            }
        }
    }

    /// Gives a server up that does not answer.
    pub(super) fn on_silence(&mut self, now_ns: u64, poller: &Poller, summary: &mut Summary) {
        let is_connecting = self.conn.as_ref().is_some_and(|it| it.stage == Stage::Connecting);
        let is_waited_for = is_connecting || !self.in_flight.is_empty();
        if is_waited_for && now_ns.saturating_sub(self.active_ns) > SILENCE_NS_MAX {
            self.end(poller, summary);
        }
    }

    /// What was in flight may be published or not: only the server knows.
    fn end(&mut self, poller: &Poller, summary: &mut Summary) {
        self.close(poller);
        self.lose(summary);
    }

    fn lose(&mut self, summary: &mut Summary) {
        for entry in self.in_flight.drain(..).flatten() {
            summary.lose(entry.number);
        }
    }
}

/// The lines of the next request.
fn next_request(waiting: &mut VecDeque<Entry>, batch: usize) -> Option<Vec<Entry>> {
    let first = waiting.pop_front()?;
    let is_alone = first.is_alone;
    let mut entries = vec![first];
    while !is_alone && entries.len() < batch {
        match waiting.pop_front_if(|it| !it.is_alone) {
            Some(entry) => entries.push(entry),
            None => break,
        }
    }
    Some(entries)
}

fn backoff_ns(tries: u32) -> u64 {
    RETRY_NS_MIN.saturating_mul(1 << tries.min(10)).min(RETRY_NS_MAX)
}

fn blame(status: u16) -> Blame {
    match status {
        401..=403 | 410 => Blame::Key,
        400 | 409 | 413 | 422 => Blame::Data,
        429 | 503 => Blame::Load,
        _ => Blame::Server,
    }
}

/// What a refusal says, in whichever dialect.
fn message(body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = answer.get("error");
    let message = error.and_then(|it| it.get("message")).or(error).and_then(Value::as_str);
    let is_printable = |char: &char| !char.is_control();
    message.unwrap_or_default().chars().filter(is_printable).take(REASON_CHARS_MAX).collect()
}

/// Whether a line that was refused ends the stream.
impl OnError {
    /// From the switch of the command line.
    pub(crate) fn continue_if(is_set: bool) -> Self {
        if is_set { Self::Continue } else { Self::Stop }
    }
}
