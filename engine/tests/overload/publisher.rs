//! Somebody who publishes to several channels in turn, and knows what was acknowledged: what is kept in the end has to be just that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client::{Client, Frame};
use super::node::{PATIENCE, pause};
use super::socket::Room;

/// How many channels it publishes to: `storm0` and so on.
pub(crate) const CHANNELS: usize = 8;
/// Between two messages.
const EVERY: Duration = Duration::from_millis(25);

/// What it published.
#[derive(Debug, Default)]
pub(crate) struct Published {
    pub(crate) acknowledged: u64,
    /// Messages of each channel: their offsets begin with 1.
    pub(crate) last: [u64; CHANNELS],
}

pub(crate) struct Publisher {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Published>,
}

impl Publisher {
    /// Begins to publish, in a thread of its own. Every channel has a message when it returns.
    pub(crate) fn begin(port: u16, target: &str) -> Self {
        let mut client = Client::connect(port, Room::Usual).unwrap();
        client.upgrade(target);
        let mut work = Work { client, is_let_in: false, sent: 0, published: Published::default() };
        work.until(|it| it.is_let_in);
        (0..CHANNELS).for_each(|_| work.publish());
        work.until(Work::has_all);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || work.run(&stopped));
        Self { stop, thread }
    }

    /// Waits until all of it is acknowledged.
    pub(crate) fn end(self) -> Published {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

struct Work {
    client: Client,
    is_let_in: bool,
    sent: usize,
    published: Published,
}

impl Work {
    fn run(mut self, stop: &AtomicBool) -> Published {
        let mut next = Instant::now();
        while !stop.load(Ordering::SeqCst) {
            self.publish();
            self.hear();
            next += EVERY;
            pause(next.saturating_duration_since(Instant::now()));
        }
        self.until(Self::has_all);
        self.published
    }

    fn publish(&mut self) {
        let channel = self.sent % CHANNELS;
        self.published.last[channel] += 1;
        self.sent += 1;
        let id = self.sent;
        self.client.say(&format!(
            "{{\"type\":\"publish\",\"id\":{id},\"channel\":\"storm{channel}\",\"event\":\"m\",\"data\":{{\"n\":{id}}}}}"
        ));
    }

    fn has_all(&self) -> bool {
        self.published.acknowledged == self.sent as u64
    }

    fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < until, "{:?} of {}", self.published, self.sent);
            self.hear();
            pause(Duration::from_millis(2));
        }
    }

    fn hear(&mut self) {
        self.client.flush();
        self.client.read();
        while let Some(frame) = self.client.next() {
            match frame {
                Frame::Text(text) if text.contains("\"type\":\"published\"") => {
                    self.published.acknowledged += 1;
                }
                Frame::Text(text) if text.contains("\"type\":\"connected\"") => {
                    self.is_let_in = true;
                }
                Frame::Head(head) => assert!(head.starts_with("HTTP/1.1 101"), "{head}"),
                Frame::Text(text) => panic!("{text}"),
                Frame::Close(code, why) => panic!("the publisher was closed: {code} {why}"),
                Frame::Ping(_) | Frame::Pong | Frame::Other => {}
            }
        }
        assert!(!self.client.has_ended, "the publisher was cut");
    }
}
