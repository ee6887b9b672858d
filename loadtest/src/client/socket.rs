//! Non-blocking sockets and the poll that watches them.

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};
use rustix::time::Timespec;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Events taken by one wait: few, so that the pace is looked at often.
const EVENTS_PER_WAIT_MAX: usize = 128;

/// Begins to connect, from a chosen address if there are several.
pub(crate) fn open(to: SocketAddr, from: Option<IpAddr>) -> io::Result<OwnedFd> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    if let Some(from) = from {
        bind(&socket, &SocketAddr::new(from, 0))?;
    }
    match connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(errno.into()),
    }
}

/// The nth of so many source addresses: 127.0.0.2, .3, …; with one, the kernel chooses.
pub(crate) fn source(nth: usize, count: u32) -> Option<IpAddr> {
    (count > 1).then(|| {
        let turn = u32::try_from(nth % count as usize).unwrap_or(0);
        IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 0, 2)) + turn))
    })
}

/// What to wait for on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Bytes to read.
    Read,
    /// Bytes to read, or room to write.
    ReadAndWrite,
}

impl Interest {
    fn flags(self) -> EventFlags {
        match self {
            Self::Read => EventFlags::IN,
            Self::ReadAndWrite => EventFlags::IN | EventFlags::OUT,
        }
    }
}

/// What a socket is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    /// The number it was added under.
    pub(crate) index: usize,
    /// There is something to read, or the connection ended.
    pub(crate) can_read: bool,
    /// There is room to write, or the connection ended.
    pub(crate) can_write: bool,
}

/// An epoll instance.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Poller {
    /// A poller that watches nothing yet.
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, events: Vec::with_capacity(EVENTS_PER_WAIT_MAX) })
    }

    /// Watches a socket under a number.
    pub(crate) fn add(&self, socket: impl AsFd, index: usize, on: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(index as u64), on.flags())?)
    }

    /// Changes what is waited for.
    pub(crate) fn change(&self, socket: impl AsFd, index: usize, on: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(index as u64), on.flags())?)
    }

    /// Watches a socket no longer.
    pub(crate) fn remove(&self, socket: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, socket)?)
    }

    /// Waits for events, at most so long; returns how many there are.
    pub(crate) fn wait(&mut self, timeout_ns: u64) -> io::Result<usize> {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout_ns / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(timeout_ns % 1_000_000_000).unwrap_or(0),
        };
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(count) => Ok(count),
            Err(Errno::INTR) => Ok(0),
            Err(errno) => Err(errno.into()),
        }
    }

    /// One event of the last wait.
    pub(crate) fn ready(&self, nth: usize) -> Option<Ready> {
        let event = self.events.get(nth)?;
        let (data, flags) = (event.data, event.flags);
        let ended = flags.intersects(EventFlags::ERR | EventFlags::HUP);
        Some(Ready {
            index: usize::try_from(data.u64()).unwrap_or(usize::MAX),
            can_read: ended || flags.contains(EventFlags::IN),
            can_write: ended || flags.contains(EventFlags::OUT),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_take_turns_from_the_second_loopback_address() {
        assert_eq!(source(5, 1), None);
        let texts: Vec<_> =
            (0..4).filter_map(|nth| source(nth, 3)).map(|from| from.to_string()).collect();
        assert_eq!(texts, ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.2"]);
        assert_eq!(source(255, 1000).unwrap().to_string(), "127.0.1.1");
    }
}
