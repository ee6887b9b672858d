//! What this crate writes, tungstenite reads; what tungstenite writes, this crate reads.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use std::io::{self, Cursor, Read, Write};

use protocol::client::{self, Target};
use protocol::http::parse_head;
use protocol::ws::{
    self, CloseCode, Opcode, Reader, Role, Step, append_close, append_masked, append_ping,
    append_pong, append_text, check_handshake, write_accept,
};
use protocol::{Keep, Limits};
use tungstenite::protocol::{Message, Role as TheirRole, WebSocket, WebSocketConfig};

/// Bytes to read, and what was written.
struct Pipe {
    incoming: Cursor<Vec<u8>>,
    outgoing: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.incoming.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theirs(role: TheirRole, incoming: Vec<u8>) -> WebSocket<Pipe> {
    let pipe = Pipe { incoming: Cursor::new(incoming), outgoing: Vec::new() };
    let config = WebSocketConfig::default()
        .max_message_size(Some(1 << 20))
        .max_frame_size(Some(1 << 20))
        .max_write_buffer_size(4 << 20);
    WebSocket::from_raw_socket(pipe, role, Some(config))
}

const LENGTHS: [usize; 9] = [0, 1, 124, 125, 126, 127, 65_535, 65_536, 200_000];

#[test]
fn tungstenite_reads_what_a_server_writes() {
    let mut bytes = Vec::new();
    for length in LENGTHS {
        append_text(&mut bytes, "x".repeat(length).as_bytes());
    }
    append_ping(&mut bytes, &[7; 200]);
    append_pong(&mut bytes, b"pong");
    append_close(&mut bytes, CloseCode::TryAgain, &"é".repeat(100));
    let mut socket = theirs(TheirRole::Client, bytes);
    for length in LENGTHS {
        assert_eq!(socket.read().unwrap(), Message::text("x".repeat(length)));
    }
    assert_eq!(socket.read().unwrap(), Message::Ping(vec![7; 125].into()));
    assert_eq!(socket.read().unwrap(), Message::Pong(b"pong".to_vec().into()));
    let Message::Close(Some(close)) = socket.read().unwrap() else { panic!("no close") };
    assert_eq!((u16::from(close.code), &*close.reason), (1013, &*"é".repeat(61)));
}

#[test]
fn tungstenite_reads_what_a_client_writes() {
    let mut bytes = Vec::new();
    for length in LENGTHS {
        append_masked(&mut bytes, Opcode::Binary, &vec![3; length], [1, 2, 3, 250]);
    }
    let mut socket = theirs(TheirRole::Server, bytes);
    for length in LENGTHS {
        assert_eq!(socket.read().unwrap(), Message::binary(vec![3; length]));
    }
}

#[test]
fn this_crate_reads_what_tungstenite_writes() {
    for (their_role, role) in [(TheirRole::Client, Role::Server), (TheirRole::Server, Role::Client)]
    {
        let mut socket = theirs(their_role, Vec::new());
        for length in LENGTHS {
            socket.send(Message::text("ä".repeat(length / 2))).unwrap();
            socket.send(Message::Ping(b"?".to_vec().into())).unwrap();
        }
        socket.close(None).unwrap();
        let mut bytes = std::mem::take(&mut socket.get_mut().outgoing);
        let limits = Limits { message_bytes_max: 1 << 20, ..Limits::default() };
        let (mut reader, mut at) = (Reader::new(role), 0);
        for length in LENGTHS {
            let read = reader.next(&mut bytes[at..], &limits);
            let Step::Text(payload) = &read.step else { panic!("{read:?}") };
            assert_eq!(payload.bytes(), "ä".repeat(length / 2).as_bytes());
            at += read.consumed;
            let read = reader.next(&mut bytes[at..], &limits);
            assert_eq!(read.step, Step::Ping(b"?"));
            at += read.consumed;
        }
        let read = reader.next(&mut bytes[at..], &limits);
        assert_eq!(read.step, Step::Close { code: None, reason: "" });
    }
}

#[test]
fn both_ends_agree_on_a_handshake() {
    // Their client, our server.
    let request = "ws://a.example/edge/realtime?token=t&channel=c";
    let pipe = Pipe { incoming: Cursor::new(Vec::new()), outgoing: Vec::new() };
    let Err(tungstenite::HandshakeError::Interrupted(mut handshake)) =
        tungstenite::client(request, pipe)
    else {
        panic!("the handshake waits for an answer")
    };
    let bytes = handshake.get_mut().get_mut().outgoing.clone();
    let head = parse_head(&bytes, &Limits::default()).unwrap().unwrap();
    assert_eq!(head.head_bytes(), bytes.len());
    let mut answer = Vec::new();
    write_accept(&mut answer, &check_handshake(&head).unwrap(), None);
    assert_eq!(client::parse_response(&answer).unwrap().unwrap().status, 101);
    handshake.get_mut().get_mut().incoming = Cursor::new(answer);
    assert!(handshake.handshake().is_ok());

    // Our client, their server.
    let mut bytes = Vec::new();
    let target = Target { host: "a.example", path: "/edge/realtime?token=t", bearer: None };
    client::write_upgrade(&mut bytes, &target, *b"the sample nonce");
    let pipe = Pipe { incoming: Cursor::new(bytes), outgoing: Vec::new() };
    let mut socket = tungstenite::accept(pipe).unwrap();
    let answer = String::from_utf8(std::mem::take(&mut socket.get_mut().outgoing)).unwrap();
    let accept = ws::accept_key("dGhlIHNhbXBsZSBub25jZQ==");
    assert!(answer.to_lowercase().contains(&format!("accept: {}", accept.to_lowercase())));
}

#[test]
fn what_the_load_test_sends_is_what_a_server_understands() {
    use protocol::dialect::cohesivity::{decode_frame, decode_publish_body};
    let limits = Limits::default();
    let mut frame = Vec::new();
    client::write_publish_frame(&mut frame, "e\"v", b"{\"a\":1}", Keep::Pass, [9, 8, 7, 6]);
    let mut reader = Reader::new(Role::Server);
    let Step::Text(mut payload) = reader.next(&mut frame, &limits).step else { panic!("no text") };
    let protocol::Command::Publish(publish) = decode_frame(payload.bytes_mut(), &limits).unwrap()
    else {
        panic!("no publish")
    };
    assert_eq!(publish.event.as_str(), "e\"v");
    assert_eq!((publish.data, publish.keep), (&b"{\"a\":1}"[..], Keep::Pass));

    let (mut body, mut request) = (Vec::new(), Vec::new());
    client::write_publish_body(&mut body, "c", "m", b"[]", Keep::Persist);
    let target = Target { host: "[::1]:80", path: "/edge/realtime", bearer: Some("a.b.c") };
    client::write_post(&mut request, &target, &body);
    let head = parse_head(&request, &limits).unwrap().unwrap();
    assert_eq!((head.bearer(), head.content_length()), (Some("a.b.c"), body.len()));
    let rest = request.split_off(head.head_bytes());
    assert_eq!(rest, body);
    let publish = decode_publish_body(&mut body, &limits).unwrap();
    assert_eq!((publish.channel.as_str(), publish.publish.data), ("c", &b"[]"[..]));
}

#[test]
fn the_load_test_reads_a_response_or_refuses_it() {
    let check = |text: &str, expected: Result<Option<(u16, usize, Option<u64>)>, ()>| {
        let read = client::parse_response(text.as_bytes()).map_err(|_| ());
        let said = read.map(|it| {
            it.map(|head| {
                assert_eq!(head.head_bytes, text.find("\r\n\r\n").unwrap() + 4);
                (head.status, head.content_length, head.retry_after_s)
            })
        });
        assert_eq!(said, expected, "{text}");
    };
    check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Ok(Some((200, 2, None))));
    check("HTTP/1.1 204 No Content\r\n\r\n", Ok(Some((204, 0, None))));
    check("HTTP/1.1 429 \r\nretry-after: 7\r\n\r\n", Ok(Some((429, 0, Some(7)))));
    check("HTTP/1.1 503 x\r\nRetry-After: soon\r\n\r\n", Ok(Some((503, 0, None))));
    check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", Ok(None));
    check("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Err(()));
    check("HTTP/2 200\r\n\r\n", Err(()));
    let mut request = Vec::new();
    client::write_get(&mut request, &Target { host: "a", path: "/a?b", bearer: None });
    let head = parse_head(&request, &Limits::default()).unwrap().unwrap();
    assert_eq!((head.target(), head.head_bytes()), ("/a?b".to_owned(), request.len()));
}
