//! The bare loop once more, on epoll with plain sends: what servers without a ring do, done as well as that can be. One wait,
//! one receive for each connection that has something, one send for each that gets something.

#![expect(
    clippy::cast_possible_truncation,
    clippy::rc_buffer,
    reason = "slots are few, and a frame's memory is written again"
)]

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::event::epoll::{self, EventData, EventFlags};

use super::{Outlet, Part, Service};

const EVENTS: usize = 1024;
const READ_BYTES: usize = 64 * 1024;
const LISTENER: u64 = u64::MAX;

/// One epoll instance with its connections.
pub(crate) struct Epoll {
    poll: OwnedFd,
    listener: TcpListener,
    conns: Vec<Conn>,
    free: Vec<u32>,
    /// Frames of this turn.
    frames: Vec<Rc<Vec<u8>>>,
    buffer: Vec<u8>,
}

#[derive(Default)]
struct Conn {
    stream: Option<TcpStream>,
    backlog: VecDeque<Part>,
}

impl Epoll {
    /// A loop that accepts from the listener.
    pub(crate) fn start(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&poll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        let (conns, free, frames) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { poll, listener, conns, free, frames, buffer: vec![0; READ_BYTES] })
    }

    /// Runs for ever.
    pub(crate) fn run(mut self, service: &mut impl Service) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        let mut closed = Vec::new();
        loop {
            events.clear();
            match epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            for event in &events {
                let (what, flags) = (event.data.u64(), event.flags);
                closed.extend(self.on_event(what, flags, service)?);
            }
            service.flush(&mut self);
            self.frames.clear();
            // A place is given again only when no send of its turn can name it.
            self.free.append(&mut closed);
        }
    }

    /// Takes an event, and names the connection that it ended.
    fn on_event(
        &mut self,
        what: u64,
        flags: EventFlags,
        service: &mut impl Service,
    ) -> io::Result<Option<u32>> {
        if what == LISTENER {
            self.accept(service)?;
            return Ok(None);
        }
        let slot = what as u32;
        let can_read = flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR);
        let stays = (!flags.contains(EventFlags::OUT) || self.drain(slot)?)
            && (!can_read || self.receive(slot, service));
        if !stays {
            self.close(slot, service);
        }
        Ok((!stays).then_some(slot))
    }

    fn accept(&mut self, service: &mut impl Service) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(cause) => return Err(cause),
            };
            stream.set_nonblocking(true)?;
            let slot = self.free.pop().unwrap_or(self.conns.len() as u32);
            if self.conns.len() <= slot as usize {
                self.conns.resize_with(slot as usize + 1, Conn::default);
            }
            let data = EventData::new_u64(u64::from(slot));
            epoll::add(&self.poll, &stream, data, EventFlags::IN)?;
            if let Some(conn) = self.conns.get_mut(slot as usize) {
                *conn = Conn { stream: Some(stream), backlog: VecDeque::new() };
            }
            service.opened(slot);
        }
    }

    /// Reads once; whether the connection stays.
    fn receive(&mut self, slot: u32, service: &mut impl Service) -> bool {
        let conn = self.conns.get_mut(slot as usize);
        let Some(stream) = conn.and_then(|it| it.stream.as_mut()) else { return true };
        match stream.read(&mut self.buffer) {
            Ok(0) => false,
            Ok(count) => match self.buffer.get_mut(..count) {
                Some(bytes) => service.received(slot, bytes),
                None => false,
            },
            Err(cause) => matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }

    /// Sends what waits; whether the connection stays.
    fn drain(&mut self, slot: u32) -> io::Result<bool> {
        let Some(Conn { stream: Some(stream), backlog }) = self.conns.get_mut(slot as usize) else {
            return Ok(true);
        };
        while let Some(part) = backlog.front_mut() {
            let bytes = part.frame.get(part.start..part.end).unwrap_or_default();
            match stream.write(bytes) {
                Ok(count) => part.start += count,
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(_) => return Ok(false),
            }
            if part.start == part.end {
                backlog.pop_front();
            }
        }
        let data = EventData::new_u64(u64::from(slot));
        epoll::modify(&self.poll, stream, data, EventFlags::IN)?;
        Ok(true)
    }

    fn close(&mut self, slot: u32, service: &mut impl Service) {
        let Some(conn) = self.conns.get_mut(slot as usize) else { return };
        if conn.stream.is_some() {
            // Closing the descriptor takes it from the epoll instance as well.
            *conn = Conn::default();
            service.closed(slot);
        }
    }
}

impl Outlet for Epoll {
    fn frame(&mut self, bytes: Rc<Vec<u8>>) -> usize {
        self.frames.push(bytes);
        self.frames.len() - 1
    }

    fn send(&mut self, slot: u32, frame: usize) -> io::Result<()> {
        let (Some(Conn { stream: Some(stream), backlog }), Some(bytes)) =
            (self.conns.get_mut(slot as usize), self.frames.get(frame))
        else {
            return Ok(());
        };
        let mut start = 0;
        if backlog.is_empty() {
            start = match stream.write(bytes) {
                Ok(count) if count == bytes.len() => return Ok(()),
                Ok(count) => count,
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => 0,
                // The next receive finds out as well, and closes.
                Err(_) => return Ok(()),
            };
            let data = EventData::new_u64(u64::from(slot));
            epoll::modify(&self.poll, stream, data, EventFlags::IN | EventFlags::OUT)?;
        }
        backlog.push_back(Part { frame: Rc::clone(bytes), start, end: bytes.len() });
        Ok(())
    }
}
