//! Who listens to a channel of numbered messages and has to hear all of them in order, and who publishes them.

use std::time::{Duration, Instant};

use super::client::Frame;
use super::crowd::Crowd;
use super::http::Http;
use super::node::PATIENCE;
use super::probe::number;
use super::socket::Room;
use super::world::World;

/// Clients of one channel that read.
pub(crate) struct Listeners {
    /// What one of them is called.
    name: &'static str,
    crowd: Crowd,
    /// The last message of each.
    heard: Vec<u64>,
}

impl Listeners {
    pub(crate) fn gather(name: &'static str, port: u16, count: usize, target: &str) -> Self {
        let crowd = Crowd::gather(port, count, target, Room::Usual);
        Self { name, crowd, heard: vec![0; count] }
    }

    /// Takes what comes: for each the message behind its last.
    pub(crate) fn hear(&mut self, patience: Duration) {
        let Self { name, crowd, heard } = self;
        crowd.hear_all(patience, name, |place, _, frame| {
            if let Frame::Text(text) = frame {
                assert_eq!(number(&text), heard[place] + 1, "{name} {place}");
                heard[place] += 1;
            }
        });
    }

    /// How many messages all of them heard.
    pub(crate) fn deliveries(&self) -> u64 {
        self.heard.iter().sum()
    }

    /// Waits until all of them have a message.
    pub(crate) fn hear_until(&mut self, last: u64) {
        let until = Instant::now() + PATIENCE;
        while let Some(late) = self.heard.iter().position(|it| *it < last) {
            let has = self.heard[late];
            assert!(Instant::now() < until, "{} {late} has {has} of {last}", self.name);
            self.hear(Duration::from_millis(20));
        }
    }
}

/// Somebody who publishes to a channel over HTTP: messages that are not kept, numbered from one on.
pub(crate) struct Caller {
    http: Http,
    path: String,
    channel: &'static str,
    /// What is in each beside its number.
    fill: String,
    pub(crate) last: u64,
}

impl Caller {
    pub(crate) fn new(world: &World, channel: &'static str, fill_bytes: usize) -> Self {
        let (http, path) = (Http::open(world.port()).unwrap(), world.keyed("demo", ""));
        Self { http, path, channel, fill: "x".repeat(fill_bytes), last: 0 }
    }

    /// Publishes for a while, each so long after the one before, and does something else meanwhile.
    pub(crate) fn call_for(
        &mut self,
        time: Duration,
        every: Duration,
        meanwhile: impl FnMut(Duration),
    ) {
        at_a_rate(time, every, || self.call(), meanwhile);
    }

    fn call(&mut self) {
        self.last += 1;
        let Self { channel, fill, last, .. } = self;
        let body = format!(
            "{{\"channel\":\"{channel}\",\"event\":\"m\",\"persist\":false,\
             \"data\":{{\"n\":{last},\"fill\":\"{fill}\"}}}}"
        );
        assert!(self.http.ask(&self.path, None, Some(&body)));
        assert_eq!(self.http.answer().unwrap().status, 200);
    }
}

/// Calls for a while, each so long after the one before, and does something else meanwhile.
pub(crate) fn at_a_rate(
    time: Duration,
    every: Duration,
    mut call: impl FnMut(),
    mut meanwhile: impl FnMut(Duration),
) {
    let (began, mut called) = (Instant::now(), 0);
    while began.elapsed() < time {
        if began.elapsed() >= every * called {
            call();
            called += 1;
        }
        meanwhile(began.elapsed());
    }
}
