//! One connection: bytes in, with what was left of the last read before them, and bytes out.

use super::socket::{Interest, Poller};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown, sockopt};
use std::io;

/// The read buffer that all connections share.
pub(crate) const READ_BUFFER_BYTES: usize = 256 * 1024;
/// What may be left of one read: the start of one frame or response.
const TAIL_BYTES_MAX: usize = READ_BUFFER_BYTES / 2;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// TCP is connecting.
    Connecting,
    /// The upgrade was asked for.
    Upgrading,
    /// The WebSocket is open, the subscription not confirmed.
    Subscribing,
    /// In use.
    Live,
    /// Over.
    Closed,
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// So many bytes stand in the buffer.
    Bytes(usize),
    /// Nothing new.
    Nothing,
    /// The other side closed, or the connection broke.
    Ended,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Conn {
    socket: OwnedFd,
    tail: Vec<u8>,
    out: Vec<u8>,
    written: usize,
    interest: Interest,
    /// How far it is.
    pub(crate) stage: Stage,
}

impl Conn {
    /// A connection that is being made; it is watched from now on.
    pub(crate) fn new(socket: OwnedFd, index: usize, poller: &Poller) -> io::Result<Self> {
        let interest = Interest::ReadAndWrite;
        poller.add(&socket, index, interest)?;
        let (tail, out) = (Vec::new(), Vec::new());
        Ok(Self { socket, tail, out, written: 0, interest, stage: Stage::Connecting })
    }

    /// Why it could not be made, once there is room to write.
    pub(crate) fn connect_error(&self) -> Option<io::Error> {
        match sockopt::socket_error(&self.socket) {
            Ok(Ok(())) => None,
            Ok(Err(errno)) | Err(errno) => Some(errno.into()),
        }
    }

    /// Reads once. What [`Conn::keep`] kept stands before the new bytes.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Arrived {
        let kept = self.tail.len();
        let (Some(before), true) = (buffer.get_mut(..kept), kept <= TAIL_BYTES_MAX) else {
            return Arrived::Ended;
        };
        before.copy_from_slice(&self.tail);
        let room = buffer.get_mut(kept..).unwrap_or_default();
        match recv(&self.socket, room, RecvFlags::empty()) {
            Ok((0, _)) => Arrived::Ended,
            Ok((count, _)) => {
                self.tail.clear();
                Arrived::Bytes(kept + count)
            }
            Err(Errno::AGAIN | Errno::INTR) => Arrived::Nothing,
            Err(_) => Arrived::Ended,
        }
    }

    /// Keeps the start of what is not complete.
    pub(crate) fn keep(&mut self, rest: &[u8]) {
        self.tail.extend_from_slice(rest);
    }

    /// Takes what was kept.
    pub(crate) fn take_kept(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.tail)
    }

    /// Where bytes to be sent are appended; [`Conn::flush`] sends them.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Sends what there is; what finds no room waits for it.
    pub(crate) fn flush(&mut self, index: usize, poller: &Poller) -> io::Result<()> {
        while let Some(rest) = self.out.get(self.written..).filter(|rest| !rest.is_empty()) {
            match send(&self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(count) => self.written += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return self.want(Interest::ReadAndWrite, index, poller),
                Err(errno) => return Err(errno.into()),
            }
        }
        self.out.clear();
        self.written = 0;
        self.want(Interest::Read, index, poller)
    }

    /// Gives the connection up.
    pub(crate) fn close(&mut self, poller: &Poller) {
        self.stage = Stage::Closed;
        // Both fail only when the connection is gone already, and that is what is wanted.
        let _ = poller.remove(&self.socket);
        let _ = shutdown(&self.socket, Shutdown::Both);
    }

    fn want(&mut self, interest: Interest, index: usize, poller: &Poller) -> io::Result<()> {
        if self.interest != interest {
            self.interest = interest;
            poller.change(&self.socket, index, interest)?;
        }
        Ok(())
    }
}
