//! Somebody who behaves: ten who listen to a channel, and one who publishes to it at a steady rate. Times count from when a message
//! was due, so a probe that is held up hides nothing.

use std::collections::VecDeque;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::client::{Client, Frame};
use super::node::PATIENCE;
use super::socket::Room;
use super::stolen::{Stolen, Watch};
use super::trust::is_long;
use super::world::go_at_once;

/// Who listens beside the one who publishes, and hears it too.
const LISTENERS: usize = 10;

/// A message was held up whose sender was done with it so long after it was due: by other clients on its processor, or their part of
/// the kernel.
const HELD_UP: Duration = Duration::from_micros(200);

/// What happens beside the probe while a message is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// Nothing.
    Alone = 0,
    /// What the test is about.
    Beside = 1,
    /// Something of both: it does not count.
    Between = 2,
}

/// Whether messages are durable before they are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Yes,
    No,
}

pub(crate) struct Probe {
    window: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
    watch: Watch,
}

impl Probe {
    /// Begins to publish, in a thread of its own.
    pub(crate) fn begin(port: u16, target: &str, per_second: u32, kept: Kept) -> Self {
        let window = Arc::new(AtomicUsize::new(Window::Between as usize));
        let stop = Arc::new(AtomicBool::new(false));
        let work = Work {
            name: target.split(['=', '&']).nth(1).unwrap_or_default().to_owned(),
            clients: (0..=LISTENERS).map(|_| listener(port, target)).collect(),
            seen: Seen::default(),
            heard: vec![0; LISTENERS + 1],
            got: vec![0; LISTENERS + 1],
            due: VecDeque::new(),
            first_due: 1,
            window: Arc::clone(&window),
        };
        let (stopped, every) = (Arc::clone(&stop), Duration::from_secs(1) / per_second);
        let thread = thread::spawn(move || work.run(&stopped, every, kept));
        Self { window, stop, thread, watch: Watch::begin() }
    }

    /// What is due from now on belongs to this window.
    pub(crate) fn enter(&self, window: Window) {
        self.window.store(window as usize, Ordering::SeqCst);
    }

    /// Lets everything that is under way arrive.
    pub(crate) fn end(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        // What it stumbled over is said again as it was.
        let mut seen = self.thread.join().unwrap_or_else(|why| resume_unwind(why));
        seen.stolen = self.watch.end();
        seen
    }
}

/// Somebody who is told that it listens.
pub(crate) fn listener(port: u16, target: &str) -> Client {
    let mut client = Client::connect(port, Room::Usual).unwrap();
    client.upgrade(target);
    let until = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < until, "a listener was not let in");
        wait(std::slice::from_ref(&client), Duration::from_millis(100));
        client.flush();
        client.read();
        while let Some(frame) = client.next() {
            match frame {
                Frame::Text(text) if text.contains("\"subscribed\"") => return client,
                Frame::Head(head) => assert!(head.starts_with("HTTP/1.1 101"), "{head}"),
                Frame::Close(code, why) => panic!("a listener was not let in: {code} {why}"),
                Frame::Text(_) | Frame::Ping(_) | Frame::Pong | Frame::Other => {}
            }
        }
        assert!(!client.has_ended, "a listener was cut before it was let in");
    }
}

/// Waits until one of them has something, or so long. Gives the places of those who have.
fn wait(clients: &[Client], patience: Duration) -> Vec<usize> {
    let flags = |it: &Client| match it.has_unsent() {
        true => PollFlags::IN | PollFlags::OUT,
        false => PollFlags::IN,
    };
    let mut polled: Vec<_> = clients.iter().map(|it| PollFd::new(it, flags(it))).collect();
    // A signal may interrupt it; then nobody has.
    let _ = poll(&mut polled, Some(&Timespec::try_from(patience).unwrap()));
    let ready = polled.iter().enumerate().filter(|(_, it)| !it.revents().is_empty());
    ready.map(|(place, _)| place).collect()
}

struct Work {
    /// Its channel.
    name: String,
    /// The first one publishes.
    clients: Vec<Client>,
    seen: Seen,
    /// The last number that each of them heard.
    heard: Vec<u64>,
    /// How many messages each of them has.
    got: Vec<u64>,
    /// The messages that not everybody has.
    due: VecDeque<Due>,
    first_due: u64,
    window: Arc<AtomicUsize>,
}

/// A message.
struct Due {
    /// When.
    at: Instant,
    /// Its window.
    window: usize,
    was_held_up: bool,
}

impl Work {
    fn run(mut self, stop: &AtomicBool, every: Duration, kept: Kept) -> Seen {
        let keep = if kept == Kept::Yes { "" } else { ",\"persist\":false" };
        if is_long() {
            go_at_once();
        }
        let mut next = Instant::now();
        let mut until = None;
        loop {
            if stop.load(Ordering::SeqCst) {
                until = until.or_else(|| Some(Instant::now() + PATIENCE));
            }
            while until.is_none() && next <= Instant::now() {
                self.seen.sent += 1;
                let window = self.window.load(Ordering::SeqCst);
                let n = self.seen.sent;
                self.clients[0].say(&format!(
                    "{{\"action\":\"publish\",\"event\":\"probe\",\"data\":{{\"n\":{n}}}{keep}}}"
                ));
                let was_held_up = next.elapsed() > HELD_UP;
                self.due.push_back(Due { at: next, window, was_held_up });
                next += every;
            }
            let is_over = until.is_some_and(|it| Instant::now() > it);
            if is_over || until.is_some() && self.has_all() {
                break;
            }
            let patience = next.saturating_duration_since(Instant::now());
            let patience = if until.is_some() { Duration::from_millis(10) } else { patience };
            wait(&self.clients, patience).into_iter().for_each(|place| self.hear(place));
        }
        let due = self.admitted();
        self.seen.lost += self.got.iter().map(|it| due.saturating_sub(*it)).sum::<u64>();
        self.seen
    }

    /// How many messages everybody is to get.
    fn admitted(&self) -> u64 {
        self.seen.sent.saturating_sub(self.seen.refused)
    }

    fn has_all(&self) -> bool {
        let answered = self.seen.acknowledged + self.seen.refused == self.seen.sent;
        answered && self.got.iter().all(|it| *it >= self.admitted())
    }

    fn hear(&mut self, place: usize) {
        self.clients[place].flush();
        self.clients[place].read();
        let now = Instant::now();
        while let Some(frame) = self.clients[place].next() {
            match frame {
                Frame::Text(text) if text.starts_with("{\"action\":\"probe\"") => {
                    self.heard(place, number(&text), now);
                }
                Frame::Text(text) if text.starts_with("{\"action\":\"published\"") => {
                    self.seen.acknowledged += 1;
                }
                Frame::Text(text) if text.contains("\"error\"") => {
                    self.seen.refused += 1;
                    self.seen.refusal = text;
                }
                Frame::Close(code, why) => {
                    panic!("{place} of the probe of {} was closed: {code} {why}", self.name)
                }
                Frame::Text(_) | Frame::Head(_) | Frame::Ping(_) | Frame::Pong | Frame::Other => {}
            }
        }
        let has_ended = self.clients[place].has_ended;
        assert!(!has_ended, "{place} of the probe of {} was cut", self.name);
    }

    /// A listener hears a message: the one behind its last, unless something is wrong.
    fn heard(&mut self, place: usize, number: u64, now: Instant) {
        let expected = self.heard[place] + 1;
        if number < expected {
            self.seen.wrong += 1; // once more, or too late
            return;
        }
        let behind = usize::try_from(number - self.first_due).unwrap();
        let Some(&Due { at, window, was_held_up }) = self.due.get(behind) else {
            self.seen.wrong += 1; // nobody said it
            return;
        };
        self.seen.wrong += u64::from(number > expected);
        self.heard[place] = number;
        self.got[place] += 1;
        if window < 2 {
            self.seen.times[window].push(Delivery { due: at, took: now - at, was_held_up });
        }
        while self.first_due < self.heard.iter().min().copied().unwrap_or_default() {
            self.due.pop_front();
            self.first_due += 1;
        }
    }
}

/// The number in a message.
pub(crate) fn number(text: &str) -> u64 {
    let digits = text.split("{\"n\":").nth(1).unwrap_or_else(|| panic!("{text}"));
    let end = digits.find(|it: char| !it.is_ascii_digit()).unwrap();
    digits[..end].parse().unwrap()
}

/// The time that 99 of 100 did not exceed.
pub(crate) fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let place = (times.len() * 99).div_ceil(100).saturating_sub(1);
    times.get(place).copied().unwrap_or_default()
}

/// With less than this share of undisturbed deliveries nothing is said of times.
const CALM_LEAST: f64 = 0.1;

/// A message that somebody heard.
#[derive(Debug)]
struct Delivery {
    due: Instant,
    took: Duration,
    /// Whoever sent it was: that says nothing of the node, which it never waits for.
    was_held_up: bool,
}

/// What a probe saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) refused: u64,
    refusal: String,
    /// Messages that somebody did not get.
    lost: u64,
    /// Messages that came out of order, or twice.
    wrong: u64,
    times: [Vec<Delivery>; 2],
    stolen: Stolen,
}

impl Seen {
    /// The time that 99 of 100 deliveries of a window did not exceed, of those that neither the host of a virtual machine nor the
    /// client's own processor disturbed.
    pub(crate) fn p99(&self, window: Window) -> Duration {
        p99(self.calm(window).map(|it| it.took).collect())
    }

    fn calm(&self, window: Window) -> impl Iterator<Item = &Delivery> {
        let times = self.times[window as usize].iter();
        times.filter(|it| !it.was_held_up && !self.stolen.disturbed(it.due))
    }

    /// The share of a window's deliveries that nobody disturbed.
    fn calm_share(&self, window: Window) -> f64 {
        self.calm(window).count() as f64 / self.times[window as usize].len().max(1) as f64
    }

    /// Everything that was asked for was acknowledged, and everybody has it, once and in order.
    pub(crate) fn check_all(&self) {
        assert!(self.sent > 0, "{self}");
        assert_eq!((self.refused, self.lost, self.wrong), (0, 0, 0), "{self} {}", self.refusal);
        assert_eq!(self.acknowledged, self.sent, "{self}");
        assert!(self.times.iter().all(|it| !it.is_empty()), "{self}");
    }

    /// So much was not disturbed that times may be asked for.
    pub(crate) fn check_calm(&self) {
        let calm = self.calm_share(Window::Alone).min(self.calm_share(Window::Beside));
        assert!(calm >= CALM_LEAST, "the host takes too much of this machine to say: {self}");
    }

    /// Everything arrived, and nothing took too long. That is allowed in the short form, where all share the machine with others.
    pub(crate) fn check(&self, floor: Duration) {
        self.check_all();
        if is_long() {
            self.check_calm();
            let most = floor.max(self.p99(Window::Alone).mul_f64(1.5));
            assert!(self.p99(Window::Beside) <= most, "{self}, at most {most:?}");
        }
    }
}

impl fmt::Display for Seen {
    /// As a part of an object of JSON.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |window| self.p99(window).as_secs_f64() * 1_000.0;
        let (alone, beside) = (ms(Window::Alone), ms(Window::Beside));
        let all = self.times[Window::Beside as usize].iter().map(|it| it.took);
        let with_disturbed = p99(all.collect()).as_secs_f64() * 1_000.0;
        write!(
            out,
            "\"probed\":{},\"refused\":{},\"lost\":{},\"p99_alone_ms\":{alone:.2},\"p99_beside_ms\":{beside:.2},\
             \"p99_beside_with_disturbed_ms\":{with_disturbed:.2},\"calm\":{:.2}",
            self.sent,
            self.refused,
            self.lost + self.wrong,
            self.calm_share(Window::Beside)
        )
    }
}
