//! Connections that come and go: each place may be taken anew as often as one likes.

use crate::client::conn::{Arrived, Conn, READ_BUFFER_BYTES, Stage};
use crate::client::doorway::{Doorway, Handshake, Passed};
use crate::client::life::Life;
use crate::client::message::{Heard, Message};
use crate::client::response;
use crate::client::socket::{self, Poller, Ready};
use crate::client::walk::{self, Frame, Step};
use crate::failure::Failure;
use crate::pace::Clock;
use crate::scenario::refusal;
use std::net::SocketAddr;

/// Bits of an event's number that say which place it is of; those above say which of its connections.
const PLACE_BITS: u32 = 24;

/// What happened to the connection at a place.
#[derive(Debug)]
pub(crate) enum Event<'b> {
    /// It hears its channel; what said so.
    In(&'b [u8]),
    /// A message came.
    Heard(Message, &'b [u8]),
    /// A request was answered, or refused for a reason.
    Answered(Option<String>),
    /// It is over, and nobody here wanted that.
    Gone(String),
}

#[derive(Debug, Default)]
struct Place {
    conn: Option<Conn>,
    tag: usize,
    /// `None`: it speaks HTTP.
    way: Option<Handshake>,
}

/// Places for connections, and the poll that watches them.
pub(crate) struct Crowd {
    to: SocketAddr,
    sources: u32,
    clock: Clock,
    doorway: Doorway,
    poller: Poller,
    places: Vec<Place>,
    life: Life,
    buffer: Vec<u8>,
    /// Bytes received.
    pub(crate) bytes: u64,
}

impl Crowd {
    /// So many empty places.
    pub(crate) fn new(
        to: SocketAddr,
        sources: u32,
        (clock, doorway): (Clock, Doorway),
        places: usize,
    ) -> Result<Self, Failure> {
        let poller = Poller::new().map_err(Failure::io("cannot make an epoll instance"))?;
        let places = (0..places).map(|tag| Place { tag, ..Place::default() }).collect();
        let buffer = vec![0; READ_BUFFER_BYTES];
        let life = Life::new(doorway.dialect, clock.now_ns());
        Ok(Self { to, sources, clock, doorway, poller, places, life, buffer, bytes: 0 })
    }

    /// Begins to connect at an empty place.
    pub(crate) fn open(&mut self, at: usize, way: Option<Handshake>) -> Result<(), Failure> {
        let Some(place) = self.places.get_mut(at) else { return Ok(()) };
        place.tag += 1 << PLACE_BITS;
        place.way = way;
        let from = socket::source(at, self.sources);
        let conn = socket::open(self.to, from)
            .and_then(|socket| Conn::new(socket, place.tag, &self.poller));
        place.conn = Some(conn.map_err(Failure::io("cannot open a connection"))?);
        Ok(())
    }

    /// Cuts the connection at a place, without a word.
    pub(crate) fn cut(&mut self, at: usize) {
        if let Some(mut conn) = self.places.get_mut(at).and_then(|place| place.conn.take()) {
            conn.close(&self.poller);
        }
    }

    /// Sends a publish; `false`: there is no connection in use.
    pub(crate) fn publish(
        &mut self,
        at: usize,
        write: impl FnOnce(&mut Conn) -> Option<Stamped>,
    ) -> Option<Stamped> {
        let place = self.places.get_mut(at)?;
        let conn = place.conn.as_mut().filter(|conn| conn.stage == Stage::Live)?;
        let sent = write(conn);
        // A connection that cannot be written to is read as ended.
        let _ = conn.flush(place.tag, &self.poller);
        sent
    }

    /// Waits, at most so long, and tells what happened.
    pub(crate) fn turn(
        &mut self,
        timeout_ns: u64,
        tell: &mut impl FnMut(usize, Event<'_>, u64),
    ) -> Result<(), Failure> {
        let count = self.poller.wait(timeout_ns).map_err(Failure::io("cannot wait for events"))?;
        let now_ns = self.clock.now_ns();
        for nth in 0..count {
            let Some(ready) = self.poller.ready(nth) else { continue };
            let at = ready.index & ((1 << PLACE_BITS) - 1);
            // An event may be of a connection that was here before.
            let place = self.places.get_mut(at).filter(|place| place.tag == ready.index);
            let Some(mut conn) = place.and_then(|place| place.conn.take()) else { continue };
            let mut tell_of = |event: Event<'_>| tell(at, event, now_ns);
            match self.on_ready(&mut conn, at, ready, &mut tell_of) {
                Ok(()) => self.put_back(at, conn)?,
                Err(why) => {
                    conn.close(&self.poller);
                    tell_of(Event::Gone(why));
                }
            }
        }
        self.show_life(now_ns);
        Ok(())
    }

    /// Keeps connections open on servers that close silent ones.
    fn show_life(&mut self, now_ns: u64) {
        let Some(sign) = self.life.due(now_ns) else { return };
        for Place { conn, tag, way } in &mut self.places {
            let hears = |conn: &&mut Conn| way.is_some() && conn.stage == Stage::Live;
            let Some(conn) = conn.as_mut().filter(hears) else { continue };
            self.doorway.dialect.say(conn.out(), sign);
            // A connection that cannot be written to is read as ended.
            let _ = conn.flush(*tag, &self.poller);
        }
    }

    /// A connection goes back to its place; one that the server closes after an answer is made anew.
    fn put_back(&mut self, at: usize, mut conn: Conn) -> Result<(), Failure> {
        if conn.stage == Stage::Closed {
            conn.close(&self.poller);
            return self.open(at, None);
        }
        if let Some(place) = self.places.get_mut(at) {
            place.conn = Some(conn);
        }
        Ok(())
    }

    fn on_ready(
        &mut self,
        conn: &mut Conn,
        at: usize,
        ready: Ready,
        tell: &mut impl FnMut(Event<'_>),
    ) -> Result<(), String> {
        if ready.can_write && conn.stage == Stage::Connecting {
            if let Some(cause) = conn.connect_error() {
                return Err(format!("cannot connect: {cause}"));
            }
            match self.places.get(at).and_then(|place| place.way.as_ref()) {
                Some(way) => {
                    conn.stage = Stage::Upgrading;
                    conn.out().extend_from_slice(&way.upgrade);
                }
                None => {
                    conn.stage = Stage::Live;
                    tell(Event::In(b""));
                }
            }
        }
        if ready.can_read {
            let mut buffer = std::mem::take(&mut self.buffer);
            let result = match conn.read(&mut buffer) {
                Arrived::Bytes(count) => {
                    self.bytes += count as u64;
                    let bytes = buffer.get(..count).unwrap_or_default();
                    self.on_bytes(conn, at, bytes, tell)
                }
                Arrived::Nothing => Ok(()),
                Arrived::Ended => Err(ended(conn)),
            };
            self.buffer = buffer;
            result?;
        }
        if matches!(conn.stage, Stage::Connecting | Stage::Closed) {
            return Ok(());
        }
        conn.flush(ready.index, &self.poller).map_err(|cause| format!("cannot write: {cause}"))
    }

    fn on_bytes(
        &mut self,
        conn: &mut Conn,
        at: usize,
        bytes: &[u8],
        tell: &mut impl FnMut(Event<'_>),
    ) -> Result<(), String> {
        let Some(place) = self.places.get(at) else { return Ok(()) };
        let Some(way) = &place.way else { return on_responses(conn, bytes, tell) };
        let mut rest = bytes;
        if conn.stage == Stage::Upgrading {
            let head = self.doorway.upgraded(conn, way, bytes).map_err(|why| why.to_string())?;
            let Some(head_bytes) = head else {
                conn.keep(bytes);
                return Ok(());
            };
            rest = bytes.get(head_bytes..).unwrap_or_default();
            if Doorway::is_in_unasked(way) {
                conn.stage = Stage::Live;
                tell(Event::In(b""));
            }
        }
        loop {
            match walk::step(rest) {
                Step::Frame(frame, taken) => {
                    rest = rest.get(taken..).unwrap_or_default();
                    on_frame(&mut self.doorway, conn, (way, &frame), tell)?;
                }
                Step::NeedMore => break,
                Step::Bad => return Err("the server sent a bad frame".to_owned()),
            }
        }
        conn.keep(rest);
        Ok(())
    }
}

/// What [`Crowd::publish`] sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamped {
    /// Its stream.
    pub(crate) stream: u32,
    /// Its place in the stream.
    pub(crate) seq: u32,
}

fn on_frame(
    doorway: &mut Doorway,
    conn: &mut Conn,
    (way, frame): (&Handshake, &Frame<'_>),
    tell: &mut impl FnMut(Event<'_>),
) -> Result<(), String> {
    if conn.stage != Stage::Live {
        let passed = doorway.on_frame(conn, way, frame).map_err(|why| why.to_string())?;
        if let (Passed::In, Frame::Message(text)) = (passed, frame) {
            conn.stage = Stage::Live;
            tell(Event::In(text));
        }
        return Ok(());
    }
    match doorway.finder.hear(frame, conn.out()) {
        Heard::Message(message, text) => tell(Event::Heard(message, text)),
        Heard::Answered | Heard::Nothing => {}
        Heard::Closed(_) => return Err(ended(conn)),
    }
    Ok(())
}

fn on_responses(
    conn: &mut Conn,
    bytes: &[u8],
    tell: &mut impl FnMut(Event<'_>),
) -> Result<(), String> {
    let mut rest = bytes;
    loop {
        match response::first(rest) {
            Ok(Some(answer)) => {
                tell(Event::Answered(refusal(&answer)));
                if answer.is_last {
                    conn.stage = Stage::Closed;
                    return Ok(());
                }
                rest = rest.get(answer.bytes..).unwrap_or_default();
            }
            Ok(None) => break,
            Err(_) => return Err("the server's answer is not HTTP".to_owned()),
        }
    }
    conn.keep(rest);
    Ok(())
}

fn ended(conn: &Conn) -> String {
    match conn.connect_error() {
        Some(cause) => format!("{cause} while {:?}", conn.stage),
        None => format!("closed by the server while {:?}", conn.stage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::dialect::Dialect;
    use crate::client::message::Finder;
    use std::io::Read;
    use std::net::TcpListener;

    #[test]
    fn who_stays_long_says_that_it_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dialect = Dialect::Pusher;
        let doorway = Doorway { finder: Finder::new(dialect, 64), dialect, accept: String::new() };
        let to = listener.local_addr().unwrap();
        let mut crowd = Crowd::new(to, 1, (Clock::start(), doorway), 2).unwrap();
        // The second publishes over HTTP, where nothing is said.
        for (at, way) in [(0, Some(Handshake::of(b"".as_slice()))), (1, None)] {
            crowd.open(at, way).unwrap();
            crowd.places[at].conn.as_mut().unwrap().stage = Stage::Live;
        }
        let mut peers = [0, 1].map(|_| listener.accept().unwrap().0);
        crowd.show_life(1 << 60);
        drop(crowd);
        let mut said = peers.each_mut().map(|peer| {
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        said.sort();
        assert_eq!(said[0], "");
        assert!(said[1].contains("pusher:ping"), "{said:?}");
    }
}
