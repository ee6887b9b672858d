//! A core for tests: a driver with a clock, and the loop that waits for an event.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use engine::ids::ConnId;
use engine::reactor::ring::{Driver, Event, KernelRing, Received, Settings, Wait, Why};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Core {
    pub(crate) driver: Driver<KernelRing>,
    begin: Instant,
    pub(crate) now_offset_ms: u64,
}

impl Core {
    pub(crate) fn new(settings: Settings) -> Self {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let driver = Driver::start(any, settings).unwrap();
        Self { driver, begin: Instant::now(), now_offset_ms: 0 }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.driver.local_address().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap() + self.now_offset_ms
    }

    pub(crate) fn turn(&mut self) {
        self.driver.submit_and_wait(Wait::For(Duration::from_millis(5))).unwrap();
        let now_ms = self.now_ms();
        self.driver.reap(now_ms);
    }

    /// Takes turns until an event is what the caller waits for.
    pub(crate) fn until<T>(
        &mut self,
        mut want: impl FnMut(&mut Driver<KernelRing>, Event) -> Option<T>,
    ) -> T {
        let begin = Instant::now();
        loop {
            self.turn();
            if let Some(found) = self.first(&mut want) {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "nothing came: {:?}", self.driver.counters());
        }
    }

    fn first<T>(
        &mut self,
        want: &mut impl FnMut(&mut Driver<KernelRing>, Event) -> Option<T>,
    ) -> Option<T> {
        while let Some(event) = self.driver.next() {
            let found = want(&mut self.driver, event);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    pub(crate) fn opened(&mut self) -> ConnId {
        self.until(|_, event| if let Event::Opened(conn) = event { Some(conn) } else { None })
    }

    pub(crate) fn closed(&mut self, conn: ConnId) -> Why {
        self.until(|_, event| {
            let Event::Closed(closed, why) = event else { return None };
            (closed == conn).then_some(why)
        })
    }

    /// The name of the connection that is given up next.
    pub(crate) fn given_up(&mut self) -> ConnId {
        self.until(|_, event| if let Event::Overrun(conn) = event { Some(conn) } else { None })
    }

    /// What comes next of any connection.
    pub(crate) fn received(&mut self) -> Received {
        self.until(|_, event| if let Event::Received(it) = event { Some(it) } else { None })
    }

    /// Takes turns until the peer's thread is done.
    pub(crate) fn while_running<T>(&mut self, peer: &std::thread::JoinHandle<T>) {
        while !peer.is_finished() {
            self.turn();
            while self.driver.next().is_some() {}
        }
    }
}

pub(crate) fn read_to_end(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

pub(crate) fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at * 31 + seed + at / 251) % 256).unwrap()).collect()
}
