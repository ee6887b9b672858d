//! A small server on real sockets that does right, or one wrong thing on purpose.

use crate::socketio;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// The one wrong thing: it happens to the first subscriber, at one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing wrong.
    None,
    /// The message is not sent.
    Drop,
    /// The message is sent twice.
    Double,
    /// The message is sent after the next one.
    Swap,
    /// The message's payload is cut.
    Damage,
    /// The connection is closed instead.
    Close,
    /// Each publish is refused.
    Refuse,
    /// Tokens are refused.
    NoToken,
}

/// The message that a fault concerns.
const FAULTY: u64 = 50;

/// What the sockets' readers tell the only writer.
pub(crate) enum Order {
    /// A socket hears a channel from now on.
    Join { channel: String, stream: TcpStream, dialect: Dialect },
    /// A socket answered the heartbeat.
    Alive { channel: String, address: SocketAddr },
    /// A message, and the socket that is told that it was taken.
    Publish { channel: String, data: Value, from: Option<SocketAddr> },
}

/// What a subscriber speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Cohesivity's.
    Cohesivity,
    /// InsForge's.
    Insforge,
}

impl Dialect {
    /// Whether nothing is sent before the client answered a heartbeat.
    fn waits(self) -> bool {
        self == Self::Insforge
    }

    fn joined(self) -> Vec<u8> {
        match self {
            Self::Cohesivity => {
                let subscribed = json!({ "action": "subscribed", "presence": [] });
                [text(&json!({ "action": "connected" }).to_string()), text(&subscribed.to_string())]
                    .concat()
            }
            Self::Insforge => socketio::joined(),
        }
    }

    fn message(self, channel: &str, data: &Value) -> Vec<u8> {
        match self {
            Self::Cohesivity => text(
                &json!({ "action": "message", "event": "message",
                    "channel": channel, "data": data, "created_at_ms": 1 })
                .to_string(),
            ),
            Self::Insforge => socketio::message(channel, data),
        }
    }
}

struct Subscriber {
    stream: TcpStream,
    address: SocketAddr,
    dialect: Dialect,
    acks: usize,
    held: Vec<u8>,
    /// What it gets when it has answered the heartbeat.
    waiting: Option<Vec<u8>>,
}

impl Subscriber {
    fn send(&mut self, bytes: &[u8]) {
        match &mut self.waiting {
            Some(waiting) => waiting.extend_from_slice(bytes),
            // A subscriber that is gone does not concern the others.
            None => drop(self.stream.write_all(bytes)),
        }
    }
}

/// Starts the server; it serves until the test process ends.
pub(crate) fn start(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (orders, inbox) = channel();
    thread::spawn(move || hub(&inbox, fault));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, orders) = (stream.unwrap(), orders.clone());
            thread::spawn(move || serve(stream, &orders, fault));
        }
    });
    address
}

fn serve(stream: TcpStream, orders: &Sender<Order>, fault: Fault) {
    stream.set_nodelay(true).unwrap();
    let mut start = [0; 20];
    while stream.peek(&mut start).unwrap_or(0) < start.len() {
        if stream.peek(&mut start).unwrap_or(0) == 0 {
            return;
        }
    }
    if start.starts_with(b"GET /edge/realtime?") {
        serve_socket(stream, orders);
    } else if start.starts_with(b"GET /socket.io/?EIO=") {
        socketio::serve(stream, orders);
    } else {
        serve_requests(stream, orders, fault);
    }
}

fn serve_socket(stream: TcpStream, orders: &Sender<Order>) {
    let address = stream.peer_addr().unwrap();
    let writer = stream.try_clone().unwrap();
    let name = RefCell::new(String::new());
    #[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
    let note_channel = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let query = request.uri().query().unwrap();
        assert!(query.starts_with("token=t&channel="), "{query}");
        *name.borrow_mut() = query.split_once("channel=").unwrap().1.replace("%3A", ":");
        Ok(response)
    };
    let mut socket = tungstenite::accept_hdr(stream, note_channel).unwrap();
    let channel = name.into_inner();
    let dialect = Dialect::Cohesivity;
    orders.send(Order::Join { channel: channel.clone(), stream: writer, dialect }).unwrap();
    while let Ok(message) = socket.read() {
        let Ok(text) = message.into_text() else { continue };
        let Ok(publish) = serde_json::from_str::<Value>(&text) else { continue };
        assert_eq!(publish["action"], "publish");
        let data = publish["data"].clone();
        let order = Order::Publish { channel: channel.clone(), data, from: Some(address) };
        orders.send(order).unwrap();
    }
}

fn serve_requests(stream: TcpStream, orders: &Sender<Order>, fault: Fault) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line.to_ascii_lowercase());
        }
        let length = lines.iter().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
        reader.read_exact(&mut body).unwrap();
        let bearer = lines.iter().find_map(|line| line.strip_prefix("authorization: bearer "));
        let (status, answer) = match lines[0].starts_with("post /api/realtime/channels ") {
            true => socketio::allow(bearer.unwrap_or_default().trim(), &body, fault),
            false => answer(&lines[0], &body, orders, fault),
        };
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", answer.len());
        if writer.write_all((head + &answer).as_bytes()).is_err() {
            return;
        }
    }
}

fn answer(request: &str, body: &[u8], orders: &Sender<Order>, fault: Fault) -> (u16, String) {
    match request {
        _ if request.starts_with("get /version ") => (200, json!({ "version": "0" }).to_string()),
        _ if request.starts_with("post /edge/realtime/token?key=coh_app_test ") => {
            if fault == Fault::NoToken {
                return (401, json!({ "error": { "code": 401 } }).to_string());
            }
            (200, json!({ "token": "t", "expires_in": 3600 }).to_string())
        }
        _ if request.starts_with("post /edge/realtime?key=coh_app_test ") => {
            if fault == Fault::Refuse {
                return (429, "slow down".to_owned());
            }
            let publish: Value = serde_json::from_slice(body).unwrap();
            let channel = publish["channel"].as_str().unwrap().to_owned();
            let data = publish["data"].clone();
            orders.send(Order::Publish { channel, data, from: None }).unwrap();
            (200, json!({ "action": "message" }).to_string())
        }
        _ => (404, String::new()),
    }
}

/// The only writer of all sockets. Messages that wait together go out in one write.
fn hub(inbox: &Receiver<Order>, fault: Fault) {
    let mut channels: BTreeMap<String, Vec<Subscriber>> = BTreeMap::new();
    let mut count = 0;
    while let Ok(first) = inbox.recv() {
        let mut messages: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for order in [first].into_iter().chain(inbox.try_iter().take(256)) {
            match order {
                Order::Join { channel, mut stream, dialect } => {
                    flush(&mut channels, &mut messages, &mut count, fault);
                    stream.write_all(&dialect.joined()).unwrap();
                    let address = stream.peer_addr().unwrap();
                    let (held, waiting) = (Vec::new(), dialect.waits().then(Vec::new));
                    let subscriber =
                        Subscriber { stream, address, dialect, acks: 0, held, waiting };
                    channels.entry(channel).or_default().push(subscriber);
                }
                Order::Alive { channel, address } => {
                    let subscribers = channels.entry(channel).or_default();
                    let one = subscribers.iter_mut().find(|it| it.address == address).unwrap();
                    let waiting = one.waiting.take().unwrap_or_default();
                    one.send(&waiting);
                }
                Order::Publish { channel, data, from } => {
                    let subscribers = channels.entry(channel.clone()).or_default();
                    let publisher = subscribers.iter_mut().find(|one| Some(one.address) == from);
                    publisher.into_iter().for_each(|publisher| publisher.acks += 1);
                    messages.entry(channel).or_default().push(data);
                }
            }
        }
        flush(&mut channels, &mut messages, &mut count, fault);
    }
}

fn flush(
    channels: &mut BTreeMap<String, Vec<Subscriber>>,
    messages: &mut BTreeMap<String, Vec<Value>>,
    count: &mut u64,
    fault: Fault,
) {
    for (channel, messages) in std::mem::take(messages) {
        let faulty = FAULTY.checked_sub(*count).filter(|at| *at < messages.len() as u64);
        *count += messages.len() as u64;
        let subscribers = channels.entry(channel.clone()).or_default();
        for (nth, subscriber) in subscribers.iter_mut().enumerate() {
            let encode = |data| subscriber.dialect.message(&channel, data);
            let messages: Vec<Vec<u8>> = messages.iter().map(encode).collect();
            let held = std::mem::take(&mut subscriber.held);
            let acks = match subscriber.dialect {
                Dialect::Cohesivity => text("{\"action\":\"published\"}").repeat(subscriber.acks),
                Dialect::Insforge => Vec::new(),
            };
            subscriber.acks = 0;
            let spoilt = faulty.filter(|_| nth == 0 && fault != Fault::None);
            let bytes = spoilt.map(|at| spoil(&messages, usize::try_from(at).unwrap(), fault));
            if let (Some(at), Fault::Swap) = (spoilt, fault) {
                subscriber.held.clone_from(&messages[usize::try_from(at).unwrap()]);
            }
            subscriber.send(&bytes.unwrap_or_else(|| messages.concat()));
            subscriber.send(&[held, acks].concat());
            if fault == Fault::Close && spoilt.is_some() {
                let _ = subscriber.stream.shutdown(std::net::Shutdown::Both);
            }
        }
    }
}

fn spoil(messages: &[Vec<u8>], at: usize, fault: Fault) -> Vec<u8> {
    let mut messages = messages.to_vec();
    match fault {
        Fault::Drop | Fault::Close | Fault::Swap => drop(messages.remove(at)),
        Fault::Double => messages.insert(at, messages[at].clone()),
        Fault::Damage => {
            let end = messages[at].iter().rposition(|byte| *byte == b'.').unwrap();
            messages[at][end] = b'"';
        }
        Fault::None | Fault::Refuse | Fault::NoToken => {}
    }
    messages.concat()
}

/// A frame of text.
pub(crate) fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let frame = Frame::message(text.to_owned(), OpCode::Data(Data::Text), true);
    frame.format(&mut bytes).unwrap();
    bytes
}
