//! Publishes a stream of lines at full speed: one thread, a few pipelined connections, and a bound on everything between the
//! input and the answers. All lines of a channel go over one connection, in their order.

mod input;
mod route;
mod summary;
mod wire;

pub(crate) use input::{Input, Next};
pub(crate) use summary::{Blame, Summary};
pub(crate) use wire::{Dialect, Wire};

use crate::client::conn::READ_BUFFER_BYTES;
use crate::client::socket::{Poller, Ready};
use crate::failure::Failure;
use crate::pace::Clock;
use crate::report::progress::Watch;
use protocol::Keep;
use protocol::client::{Line, write_publish_body};
use route::{Entry, Route};
use std::hash::{DefaultHasher, Hasher};
use std::net::SocketAddr;

/// The input's number among what is polled.
const INPUT: usize = usize::MAX - 1;
const WAIT_NS_MAX: u64 = 100_000_000;
const DEFAULT_EVENT: &str = "message";

/// What to do, and how hard.
pub(crate) struct Options {
    /// Where lines without a channel go.
    pub(crate) channel: Option<String>,
    /// Whether messages are kept whose lines do not say so.
    pub(crate) keep: Keep,
    /// Connections at most.
    pub(crate) connections: usize,
    /// Unanswered requests on each.
    pub(crate) window: usize,
    /// Lines in one request.
    pub(crate) batch: usize,
    /// Whether a refused line ends it.
    pub(crate) on_error: OnError,
}

/// What a refused line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnError {
    /// No line is taken any more.
    Stop,
    /// It is counted.
    Continue,
}

/// Publishes all lines; what came of them is in the summary, however it ends.
pub(crate) fn publish(
    (to, wire): (SocketAddr, &Wire),
    options: &Options,
    input: &mut Input,
    watch: &mut Watch,
    summary: &mut Summary,
) -> Result<(), Failure> {
    let poller = Poller::new().map_err(Failure::io("cannot make an epoll instance"))?;
    let routes = (0..options.connections).map(|index| Route::new(index, to)).collect();
    let clock = Clock::start();
    let mut publisher = Publisher {
        options,
        wire,
        poller,
        routes,
        buffer: vec![0; READ_BUFFER_BYTES],
        is_stopping: false,
        is_polled: false,
        is_ready: false,
    };
    let outcome = publisher.run(input, watch, summary, &clock);
    for route in &mut publisher.routes {
        route.give_up(summary);
        route.close(&publisher.poller);
    }
    summary.elapsed_ns = clock.now_ns();
    outcome
}

struct Publisher<'a> {
    options: &'a Options,
    wire: &'a Wire,
    poller: Poller,
    routes: Vec<Route>,
    buffer: Vec<u8>,
    /// No line is taken any more; what was sent is waited for.
    is_stopping: bool,
    is_polled: bool,
    /// The input may have bytes.
    is_ready: bool,
}

impl Publisher<'_> {
    fn run(
        &mut self,
        input: &mut Input,
        watch: &mut Watch,
        summary: &mut Summary,
        clock: &Clock,
    ) -> Result<(), Failure> {
        let mut interrupted = Ok(());
        loop {
            if !self.is_stopping {
                self.take(input, summary)?;
            }
            let now_ns = clock.now_ns();
            let is_over = self.is_stopping || input.has_ended();
            for route in &mut self.routes {
                route.send(now_ns, self.wire, (self.options, is_over), &self.poller)?;
            }
            if is_over && self.routes.iter().all(Route::is_idle) {
                return interrupted;
            }
            self.wait(now_ns, input)?;
            self.receive(clock.now_ns(), summary)?;
            if self.options.on_error == OnError::Stop && summary.is_flawed() {
                self.stop(summary);
            }
            let progress = input.progress().unwrap_or((summary.published, summary.lines));
            let told =
                watch.show(clock.now_ns(), "publishing", progress, || summary.line(clock.now_ns()));
            if told.is_err() {
                // What was sent is still answered, unless the server is silent: then its routes give up.
                interrupted = told;
                self.stop(summary);
            }
        }
    }

    fn stop(&mut self, summary: &mut Summary) {
        self.is_stopping = true;
        for route in &mut self.routes {
            summary.unsent += route.drop_waiting();
        }
    }

    /// Takes lines while every route has room, and reads when there are no more of them.
    fn take(&mut self, input: &mut Input, summary: &mut Summary) -> Result<(), Failure> {
        while self.has_room() {
            match input.next() {
                Next::Line(number, line) => self.put(number, line, summary),
                Next::TooLong(number) => {
                    summary.lines += 1;
                    summary.refuse(Blame::Data, "the line is over 1 MiB".to_owned(), number);
                }
                Next::More if self.is_ready => {
                    input.fill().map_err(Failure::io("cannot read the lines"))?;
                    self.is_ready = !self.is_polled;
                }
                Next::More | Next::End => return Ok(()),
            }
            if self.options.on_error == OnError::Stop && summary.is_flawed() {
                self.stop(summary);
                return Ok(());
            }
        }
        Ok(())
    }

    fn put(&mut self, number: u64, line: &[u8], summary: &mut Summary) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        summary.lines += 1;
        let line = match Line::parse(line) {
            Ok(line) => line,
            Err(why) => return summary.refuse(Blame::Data, why.message(), number),
        };
        let Some(channel) = line.channel.as_deref().or(self.options.channel.as_deref()) else {
            let why = "\"channel\" is required (or --channel)".to_owned();
            return summary.refuse(Blame::Data, why, number);
        };
        let event = line.event.as_deref().unwrap_or(DEFAULT_EVENT);
        let mut body = Vec::with_capacity(64 + channel.len() + event.len() + line.data.len());
        let keep = line.keep.unwrap_or(self.options.keep);
        write_publish_body(&mut body, channel, event, line.data, keep);
        let mut hasher = DefaultHasher::new();
        hasher.write(channel.as_bytes());
        let count = self.routes.len().max(1) as u64;
        let place = usize::try_from(hasher.finish() % count).unwrap_or_default();
        if let Some(route) = self.routes.get_mut(place) {
            route.push(Entry::new(number, body));
        }
    }

    fn has_room(&self) -> bool {
        self.routes.iter().all(|route| route.has_room(self.options))
    }

    /// Waits for answers, for room to write, and for input if there is room for it.
    fn wait(&mut self, now_ns: u64, input: &Input) -> Result<(), Failure> {
        let wants_input = !self.is_stopping && !input.has_ended() && self.has_room();
        if wants_input && !self.is_polled && !input.is_always_ready() {
            self.watch_input(input)?;
        } else if !wants_input && self.is_polled {
            self.is_polled = false;
            self.poller.remove(input).map_err(Failure::io("cannot poll the input"))?;
        }
        let due = self.routes.iter().filter_map(Route::due_ns).min();
        let until = due.unwrap_or(u64::MAX).saturating_sub(now_ns).min(WAIT_NS_MAX);
        let timeout_ns = if wants_input && !self.is_polled { 0 } else { until };
        self.poller.wait(timeout_ns).map_err(Failure::io("cannot wait for the server"))?;
        Ok(())
    }

    fn watch_input(&mut self, input: &Input) -> Result<(), Failure> {
        self.is_polled =
            input.watch(&self.poller, INPUT).map_err(Failure::io("cannot poll the input"))?;
        self.is_ready = !self.is_polled;
        Ok(())
    }

    fn receive(&mut self, now_ns: u64, summary: &mut Summary) -> Result<(), Failure> {
        let mut nth = 0;
        while let Some(ready) = self.poller.ready(nth) {
            nth += 1;
            let Ready { index, .. } = ready;
            if index == INPUT {
                self.is_ready = true;
            } else if let Some(route) = self.routes.get_mut(index) {
                route.on_ready(ready, now_ns, &mut self.buffer, (&self.poller, summary))?;
            }
        }
        for route in &mut self.routes {
            route.on_silence(now_ns, &self.poller, summary);
        }
        Ok(())
    }
}
