//! Thousands of clients that one thread looks after.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use super::client::{Client, Frame};
use super::socket::Room;

/// Clients that are let in at once while a crowd gathers.
const AT_ONCE: usize = 200;
const EVENTS_MAX: usize = 256;
/// How long a crowd may take to gather.
const GATHER: Duration = Duration::from_mins(2);

pub(crate) struct Crowd {
    /// `None`: it is gone.
    clients: Vec<Option<Client>>,
    epoll: OwnedFd,
}

impl Crowd {
    pub(crate) fn new() -> Self {
        Self { clients: Vec::new(), epoll: epoll::create(CreateFlags::CLOEXEC).unwrap() }
    }

    /// So many clients of a path, each of which was told what a subscriber is told first.
    pub(crate) fn gather(port: u16, count: usize, target: &str, room: Room) -> Self {
        let mut crowd = Self::new();
        while crowd.clients.len() < count {
            let more = AT_ONCE.min(count - crowd.clients.len());
            for _ in 0..more {
                let place = crowd.connect(port, room).expect("a connection");
                crowd.client(place).unwrap().upgrade(target);
            }
            crowd.let_in(more);
        }
        crowd
    }

    /// Waits until so many were told that they listen.
    fn let_in(&mut self, count: usize) {
        let (mut told, until) = (0, Instant::now() + GATHER);
        while told < count {
            assert!(Instant::now() < until, "{told} of {count} were let in");
            self.pump(Duration::from_millis(100), |_, _, frame| match frame {
                Frame::Text(text) => told += usize::from(text.contains("\"subscribed\"")),
                Frame::Head(head) => assert!(head.starts_with("HTTP/1.1 101"), "{head}"),
                Frame::Ping(_) | Frame::Pong | Frame::Close(..) | Frame::Other => {}
            });
        }
    }

    /// One more connection. Gives its place; `None`: nobody is there, or takes no more.
    pub(crate) fn connect(&mut self, port: u16, room: Room) -> Option<usize> {
        let client = Client::connect(port, room)?;
        let place = self.clients.len();
        let data = EventData::new_u64(place as u64);
        epoll::add(&self.epoll, &client, data, EventFlags::IN).unwrap();
        self.clients.push(Some(client));
        Some(place)
    }

    pub(crate) fn client(&mut self, place: usize) -> Option<&mut Client> {
        self.clients.get_mut(place)?.as_mut()
    }

    /// The places of those who are there.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.clients.iter().enumerate().filter_map(|(place, it)| it.as_ref().map(|_| place))
    }

    /// How many are there.
    pub(crate) fn len(&self) -> usize {
        self.places().count()
    }

    /// Waits for something, and hands out every frame that came. Those whose connections ended are gone after it; their places
    /// are returned.
    pub(crate) fn pump(
        &mut self,
        patience: Duration,
        mut hear: impl FnMut(usize, &mut Client, Frame),
    ) -> Vec<usize> {
        let timeout = Timespec::try_from(patience).unwrap();
        let mut events = Vec::with_capacity(EVENTS_MAX);
        let buffer = rustix::buffer::spare_capacity(&mut events);
        // A signal may interrupt it; then nothing came.
        let _ = epoll::wait(&self.epoll, buffer, Some(&timeout));
        let mut gone = Vec::new();
        for Event { data, .. } in events {
            let place = usize::try_from(data.u64()).unwrap();
            let Some(client) = self.clients[place].as_mut() else { continue };
            client.read();
            while let Some(frame) = client.next() {
                hear(place, client, frame);
            }
            if client.has_ended {
                self.clients[place] = None;
                gone.push(place);
            }
        }
        gone
    }
}
