//! The requests of one connection: answered in the order in which they came, however late an answer is (RFC 9112 §9.3.2).

use std::collections::VecDeque;

use protocol::http::{KeepAlive, Method};

use super::surface::Surface;
use crate::ids::CallId;
use crate::planted::{self, Fault};

/// What a request that waits says of its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asked {
    /// Whose shape it has.
    pub surface: Surface,
    /// HEAD gets no body.
    pub method: Method,
    /// What becomes of the connection after it.
    pub then: KeepAlive,
}

/// One answer, encoded.
#[derive(Debug)]
pub struct Answer {
    /// Head and body.
    pub bytes: Vec<u8>,
    /// What becomes of the connection after it.
    pub then: KeepAlive,
}

/// The order of answers.
#[derive(Debug, Default)]
pub struct Tickets {
    line: VecDeque<Ticket>,
    /// The ticket at the front of `line`.
    first: u32,
    /// Whether the connection closes after the last answer in line: nothing behind it is read.
    ends: bool,
}

#[derive(Debug)]
enum Ticket {
    Waiting(Asked),
    /// Its head is written, and its body comes in parts.
    Streaming(Stream),
    Ready(Answer),
}

#[derive(Debug)]
struct Stream {
    call: CallId,
    then: KeepAlive,
    /// What came while others were before it: no more than its call has credit for.
    held: Vec<u8>,
    held_parts: u32,
    end: Option<StreamEnd>,
}

/// How a streamed answer ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamEnd {
    /// All of it was sent.
    Whole,
    /// The rest is missing, and the connection is the only way to say so.
    Cut,
}

/// Where a piece of a streamed answer goes.
#[derive(Debug)]
pub enum Place<'a> {
    /// Out, at once.
    Out,
    /// Behind others: here, until its turn comes.
    Held(&'a mut Vec<u8>),
    /// Nowhere: the ticket was answered.
    Nowhere,
}

/// What goes out next.
#[derive(Debug)]
pub enum Next {
    /// A whole answer.
    Answer(Answer),
    /// A piece of a streamed one, and of how many parts.
    Piece(CallId, Vec<u8>, u32),
    /// Nothing more: a streamed answer broke off.
    Cut,
}

impl Tickets {
    /// Whether nobody waits: an answer may go out at once.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// Whether the last answer in line closes the connection, so that no request after it would be answered.
    #[must_use]
    pub fn ends(&self) -> bool {
        self.ends
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.line.len()
    }

    /// Lines up a request whose answer comes later.
    pub fn wait(&mut self, asked: Asked) -> u32 {
        let ticket = self.next();
        self.ends |= asked.then == KeepAlive::Close;
        self.line.push_back(Ticket::Waiting(asked));
        ticket
    }

    /// The number that the next request in line gets.
    #[must_use]
    pub fn next(&self) -> u32 {
        self.first.wrapping_add(u32::try_from(self.line.len()).unwrap_or(u32::MAX))
    }

    /// Lines up an answer behind others.
    pub fn ready(&mut self, answer: Answer) {
        self.ends |= answer.then == KeepAlive::Close;
        self.line.push_back(Ticket::Ready(answer));
    }

    /// What the request of a ticket says of its answer; `None` when it was answered.
    #[must_use]
    pub fn asked(&self, ticket: u32) -> Option<Asked> {
        match self.line.get(self.place(ticket))? {
            Ticket::Waiting(asked) => Some(*asked),
            Ticket::Streaming(_) | Ticket::Ready(_) => None,
        }
    }

    /// Says what the request of a ticket costs.
    pub fn charge(&mut self, ticket: u32, micro_usd: u32) {
        let place = self.place(ticket);
        if let Some(Ticket::Waiting(asked)) = self.line.get_mut(place) {
            asked.surface = asked.surface.costing(micro_usd);
        }
    }

    /// Takes the request of a ticket out of the line, if it is the first: its answer may go out at once.
    pub fn leave_first(&mut self, ticket: u32) -> bool {
        let is_first = ticket == self.first && !self.line.is_empty();
        if is_first {
            self.line.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        is_first
    }

    /// Answers the request of a ticket.
    pub fn answer(&mut self, ticket: u32, answer: Answer) {
        let overtakes = planted::is(Fault::AnswersOvertake);
        let place = if overtakes { 0 } else { self.place(ticket) };
        if let Some(entry) = self.line.get_mut(place) {
            *entry = Ticket::Ready(answer);
        }
    }

    /// Begins to stream the answer of a ticket.
    pub fn stream(&mut self, ticket: u32, call: CallId, then: KeepAlive) {
        let place = self.place(ticket);
        if let Some(entry) = self.line.get_mut(place) {
            let (held, held_parts) = (Vec::new(), 0);
            *entry = Ticket::Streaming(Stream { call, then, held, held_parts, end: None });
        }
    }

    /// Where the next piece of a streamed answer goes, which is so many parts of its body.
    pub fn piece(&mut self, ticket: u32, parts: u32) -> Place<'_> {
        let place = self.place(ticket);
        match self.line.get_mut(place) {
            Some(Ticket::Streaming(stream)) if place == 0 && stream.held.is_empty() => Place::Out,
            Some(Ticket::Streaming(stream)) => {
                stream.held_parts += parts;
                Place::Held(&mut stream.held)
            }
            Some(Ticket::Waiting(_) | Ticket::Ready(_)) | None => Place::Nowhere,
        }
    }

    /// The call whose streamed answer goes out now, if nothing of it waits here.
    #[must_use]
    pub fn streaming(&self) -> Option<CallId> {
        match self.line.front()? {
            Ticket::Streaming(stream) if stream.held.is_empty() => Some(stream.call),
            Ticket::Streaming(_) | Ticket::Waiting(_) | Ticket::Ready(_) => None,
        }
    }

    /// Ends a streamed answer.
    pub fn end_stream(&mut self, ticket: u32, how: StreamEnd) {
        let place = self.place(ticket);
        if let Some(Ticket::Streaming(stream)) = self.line.get_mut(place) {
            stream.end = Some(how);
        }
    }

    /// What goes out next, without anyone having to wait for it longer.
    pub fn pop(&mut self) -> Option<Next> {
        if let Ticket::Streaming(stream) = self.line.front_mut()?
            && !stream.held.is_empty()
        {
            let held = std::mem::take(&mut stream.held);
            let parts = std::mem::take(&mut stream.held_parts);
            return Some(Next::Piece(stream.call, held, parts));
        }
        let next = match self.line.pop_front()? {
            Ticket::Ready(answer) => Next::Answer(answer),
            Ticket::Streaming(Stream { end: Some(StreamEnd::Whole), then, .. }) => {
                Next::Answer(Answer { bytes: Vec::new(), then })
            }
            Ticket::Streaming(Stream { end: Some(StreamEnd::Cut), .. }) => Next::Cut,
            waiting @ (Ticket::Waiting(_) | Ticket::Streaming(_)) => {
                self.line.push_front(waiting);
                return None;
            }
        };
        self.first = self.first.wrapping_add(1);
        Some(next)
    }

    fn place(&self, ticket: u32) -> usize {
        ticket.wrapping_sub(self.first) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(then: KeepAlive) -> Asked {
        Asked { surface: Surface::default(), method: Method::Post, then }
    }

    fn answer(byte: u8) -> Answer {
        Answer { bytes: vec![byte], then: KeepAlive::Keep }
    }

    #[test]
    fn answers_leave_in_the_order_of_their_requests() {
        let mut tickets = Tickets::default();
        let first = tickets.wait(asked(KeepAlive::Keep));
        let second = tickets.wait(asked(KeepAlive::Close));
        tickets.ready(answer(3));
        tickets.answer(second, answer(2));
        assert!(tickets.pop().is_none());
        assert_eq!(tickets.asked(first), Some(asked(KeepAlive::Keep)));
        assert_eq!(tickets.asked(second), None);
        tickets.answer(first, answer(1));
        assert_eq!(popped(&mut tickets), [1, 2, 3]);
        assert_eq!(tickets.next(), 3);
    }

    fn popped(tickets: &mut Tickets) -> Vec<u8> {
        let bytes = |next| match next {
            Next::Answer(answer) => answer.bytes,
            Next::Piece(_, bytes, _) => bytes,
            Next::Cut => vec![0],
        };
        std::iter::from_fn(|| tickets.pop()).flat_map(bytes).collect()
    }

    fn push(tickets: &mut Tickets, ticket: u32, byte: u8) -> bool {
        match tickets.piece(ticket, 1) {
            Place::Out => true,
            Place::Held(held) => {
                held.push(byte);
                false
            }
            Place::Nowhere => panic!("nobody streams there"),
        }
    }

    #[test]
    fn a_stream_waits_for_those_before_it_and_others_for_its_end() {
        let mut tickets = Tickets::default();
        let first = tickets.wait(asked(KeepAlive::Keep));
        let second = tickets.wait(asked(KeepAlive::Keep));
        tickets.ready(answer(9));
        tickets.stream(second, CallId(1), KeepAlive::Keep);
        assert_eq!(tickets.asked(second), None);
        assert!(!push(&mut tickets, second, 2) && !push(&mut tickets, second, 3));
        assert_eq!(popped(&mut tickets), [0; 0]);
        tickets.answer(first, answer(1));
        assert_eq!(popped(&mut tickets), [1, 2, 3]);
        assert!(push(&mut tickets, second, 4));
        assert_eq!(popped(&mut tickets), [0; 0]);
        tickets.end_stream(second, StreamEnd::Whole);
        assert_eq!(popped(&mut tickets), [9]);
        assert!(tickets.is_empty());
    }

    #[test]
    fn a_stream_that_broke_off_is_cut_after_what_came_of_it() {
        let mut tickets = Tickets::default();
        let first = tickets.wait(asked(KeepAlive::Keep));
        let second = tickets.wait(asked(KeepAlive::Keep));
        tickets.stream(second, CallId(1), KeepAlive::Keep);
        assert!(!push(&mut tickets, second, 2));
        tickets.end_stream(second, StreamEnd::Cut);
        assert!(matches!(tickets.piece(first, 1), Place::Nowhere));
        tickets.answer(first, answer(1));
        assert_eq!(popped(&mut tickets), [1, 2, 0]);
    }

    #[test]
    fn an_answer_that_closes_is_the_last() {
        let mut tickets = Tickets::default();
        tickets.wait(asked(KeepAlive::Keep));
        assert!(!tickets.ends());
        tickets.ready(Answer { bytes: vec![], then: KeepAlive::Close });
        assert!(tickets.ends());
    }
}
