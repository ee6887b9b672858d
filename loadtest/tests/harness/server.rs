//! A small server on real sockets that does right, or one wrong thing on purpose.

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

enum Order {
    Join { channel: String, stream: TcpStream },
    Publish { channel: String, data: Value, from: Option<SocketAddr> },
}

struct Subscriber {
    stream: TcpStream,
    address: SocketAddr,
    acks: usize,
    held: Vec<u8>,
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
        *name.borrow_mut() = query.split_once("channel=").unwrap().1.to_owned();
        Ok(response)
    };
    let mut socket = tungstenite::accept_hdr(stream, note_channel).unwrap();
    let channel = name.into_inner();
    orders.send(Order::Join { channel: channel.clone(), stream: writer }).unwrap();
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
        let (status, answer) = answer(&lines[0], &body, orders, fault);
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
        let mut bytes: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for order in [first].into_iter().chain(inbox.try_iter().take(256)) {
            match order {
                Order::Join { channel, mut stream } => {
                    flush(&mut channels, &mut bytes, &mut count, fault);
                    stream.write_all(&text(&json!({ "action": "connected" }))).unwrap();
                    let subscribed = json!({ "action": "subscribed", "presence": [] });
                    stream.write_all(&text(&subscribed)).unwrap();
                    let address = stream.peer_addr().unwrap();
                    let subscriber = Subscriber { stream, address, acks: 0, held: Vec::new() };
                    channels.entry(channel).or_default().push(subscriber);
                }
                Order::Publish { channel, data, from } => {
                    let subscribers = channels.entry(channel.clone()).or_default();
                    let publisher = subscribers.iter_mut().find(|one| Some(one.address) == from);
                    publisher.into_iter().for_each(|publisher| publisher.acks += 1);
                    let message = json!({ "action": "message", "event": "message",
                        "channel": channel, "data": data, "created_at_ms": 1 });
                    bytes.entry(channel).or_default().push(text(&message));
                }
            }
        }
        flush(&mut channels, &mut bytes, &mut count, fault);
    }
}

fn flush(
    channels: &mut BTreeMap<String, Vec<Subscriber>>,
    bytes: &mut BTreeMap<String, Vec<Vec<u8>>>,
    count: &mut u64,
    fault: Fault,
) {
    for (channel, messages) in std::mem::take(bytes) {
        let whole = messages.concat();
        let faulty = FAULTY.checked_sub(*count).filter(|at| *at < messages.len() as u64);
        *count += messages.len() as u64;
        for (nth, subscriber) in channels.entry(channel).or_default().iter_mut().enumerate() {
            let held = std::mem::take(&mut subscriber.held);
            let acks = text(&json!({ "action": "published" })).repeat(subscriber.acks);
            subscriber.acks = 0;
            let spoilt = faulty.filter(|_| nth == 0 && fault != Fault::None);
            let bytes = spoilt.map(|at| spoil(&messages, usize::try_from(at).unwrap(), fault));
            if let (Some(at), Fault::Swap) = (spoilt, fault) {
                subscriber.held.clone_from(&messages[usize::try_from(at).unwrap()]);
            }
            // A subscriber that is gone does not concern the others.
            let _ = subscriber.stream.write_all(bytes.as_ref().unwrap_or(&whole));
            let _ = subscriber.stream.write_all(&[held, acks].concat());
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

fn text(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let frame = Frame::message(value.to_string(), OpCode::Data(Data::Text), true);
    frame.format(&mut bytes).unwrap();
    bytes
}
