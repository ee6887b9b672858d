//! A receiver of webhooks on loopback: a real server that keeps what came and answers as it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The first line.
    pub(crate) line: String,
    /// Header lines, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// When.
    pub(crate) at: Instant,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The number that [`crate::world::World::publish`] put into the message.
    pub(crate) fn number(&self) -> u64 {
        self.json()["payload"]["n"].as_u64().unwrap()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, and header lines.
    Status(u16, &'static str),
    /// 200, after a while.
    After(Duration),
    /// Nothing, for as long as the caller waits.
    Silence,
    /// A head of which a byte comes now and then.
    SlowHead,
    /// 200 and a body without an end.
    Endless,
    /// The connection is cut.
    Cut,
}

pub(crate) const OK: Reply = Reply::Status(200, "");

type Script = Box<dyn Fn(&Request, usize) -> Reply + Send + Sync>;

struct Shared {
    seen: Mutex<Vec<Request>>,
    came: Condvar,
    script: Mutex<Script>,
    connections: Mutex<usize>,
}

/// The server. It ends with the process.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Receiver {
    /// Answers each request as `script` says of it and of how many came before.
    pub(crate) fn start(script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    pub(crate) fn on(
        listener: TcpListener,
        script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            came: Condvar::new(),
            script: Mutex::new(Box::new(script)),
            connections: Mutex::default(),
        });
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&of_thread);
                *shared.connections.lock().unwrap() += 1;
                thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The numbers of the messages that came, in their order.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.seen().iter().map(Request::number).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.shared.connections.lock().unwrap()
    }

    /// Answers otherwise from now on.
    pub(crate) fn behave(&self, script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }

    /// Waits until so many requests came.
    pub(crate) fn wait_for(&self, count: usize) {
        self.wait_until(|seen| seen.len() >= count);
    }

    /// Waits until what came is enough.
    pub(crate) fn wait_until(&self, is_enough: impl Fn(&[Request]) -> bool) {
        let mut seen = self.shared.seen.lock().unwrap();
        let end = Instant::now() + Duration::from_secs(60);
        while !is_enough(&seen) {
            assert!(Instant::now() < end, "only {} requests came", seen.len());
            seen = self.shared.came.wait_timeout(seen, Duration::from_secs(1)).unwrap().0;
        }
    }
}

fn serve(stream: &TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader) {
        let reply = {
            let mut seen = shared.seen.lock().unwrap();
            let count = seen.len();
            seen.push(request.clone());
            shared.came.notify_all();
            drop(seen);
            (shared.script.lock().unwrap())(&request, count)
        };
        if !answer(stream, &reply) {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut headers = Vec::new();
    loop {
        let mut text = String::new();
        reader.read_line(&mut text).ok()?;
        let Some((name, value)) = text.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|it| it.0 == "content-length");
    let mut body = vec![0; length.map_or(0, |it| it.1.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some(Request { line: line.trim_end().to_owned(), headers, body, at: Instant::now() })
}

/// Answers; says whether the connection goes on.
fn answer(mut stream: &TcpStream, reply: &Reply) -> bool {
    let whole = |status: u16, lines: &str| {
        format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n{lines}\r\nok")
    };
    match reply {
        Reply::Status(status, lines) => stream.write_all(whole(*status, lines).as_bytes()).is_ok(),
        Reply::After(time) => {
            thread::sleep(*time);
            stream.write_all(whole(200, "").as_bytes()).is_ok()
        }
        Reply::Silence => wait_for_end(stream),
        Reply::SlowHead => {
            let head = b"HTTP/1.1 200 OK\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'a'));
            for byte in head {
                thread::sleep(Duration::from_millis(20));
                if stream.write_all(&[*byte]).is_err() {
                    return false;
                }
            }
            false
        }
        Reply::Endless => {
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let mut is_open = stream.write_all(head).is_ok();
            while is_open {
                let part = [&b"400\r\n"[..], &[b'x'; 0x400], &b"\r\n"[..]].concat();
                is_open = stream.write_all(&part).is_ok();
            }
            false
        }
        Reply::Cut => false,
    }
}

fn wait_for_end(mut stream: &TcpStream) -> bool {
    let mut rest = [0; 64];
    while stream.read(&mut rest).is_ok_and(|it| it > 0) {}
    false
}
