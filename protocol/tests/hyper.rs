//! What is accepted here, hyper accepts too, and reads alike: method, target and length of the body. Requests are written by
//! hand and then spoilt, from a seed; `HYPER_CASES=1000000` runs more of them. A head that is known again is read as any other.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use protocol::Limits;
use protocol::http::{KnownHead, parse_head};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a reader makes of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Meaning {
    method: String,
    target: String,
    body_bytes: usize,
}

const REQUESTS: [&str; 9] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /edge/realtime/history?channel=a%20b&after=5 HTTP/1.1\r\nHost: a:80\r\nAccept: */*\r\n\r\n",
    "POST /edge/realtime?key=k HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: b\r\n\r\n",
    "POST /v1/realtime/publish HTTP/1.1\r\nHost: [::1]:8080\r\ncontent-length: 0\r\nConnection: close\r\n\r\n",
    "DELETE /v1/realtime/channel/delete/a%2Fb HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n",
    "GET /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET /edge/realtime HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
];

/// What attackers of readers put in between.
const SPOILS: [&str; 34] = [
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    "\0",
    "\x0b",
    ":",
    ",",
    ";",
    "/",
    "//",
    "\\",
    "?",
    "#",
    "%",
    "%2e%2e/",
    "%00",
    "+5",
    "0",
    "00",
    "5",
    "é",
    "\u{a0}",
    "HTTP/1.0",
    " HTTP/1.1",
    "Content-Length: 5\r\n",
    "Content-Length: 5, 5\r\n",
    "Content-Length : 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Host: b\r\n",
    " folded: line\r\n",
    "http://b",
];

/// A small generator of numbers: the same ones for the same seed (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap() % end.max(1)
    }

    fn spoil(&mut self, request: &mut Vec<u8>) {
        let at = self.below(request.len() + 1);
        let end = (at + self.below(4)).min(request.len());
        match self.below(4) {
            0 => drop(request.drain(at..end)),
            1 => {
                let bit = 1 << self.below(8);
                if let Some(byte) = request.get_mut(at) {
                    *byte ^= bit;
                }
            }
            2 => {
                let copy = request.get(at..end).unwrap_or_default().to_vec();
                drop(request.splice(at..at, copy));
            }
            _ => {
                let what = SPOILS.get(self.below(SPOILS.len())).unwrap();
                drop(request.splice(at..at, what.bytes()));
            }
        }
    }
}

/// What we make of it; `None` when it is refused, or is not all there.
fn ours(bytes: &[u8]) -> Option<Meaning> {
    let head = parse_head(bytes, &Limits::default()).ok()??;
    let line = bytes.get(..head.head_bytes())?;
    let line = std::str::from_utf8(line).ok()?.trim_start_matches("\r\n");
    let mut words = line.lines().next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    assert!(target.starts_with(head.path()), "the path is not that of the target");
    Some(Meaning { method, target, body_bytes: head.content_length() })
}

/// What hyper makes of the first request of a connection that brings these bytes and nothing more.
async fn theirs(bytes: &[u8]) -> Option<Meaning> {
    let found = Rc::new(RefCell::new(None));
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let note = Rc::clone(&found);
    let service = service_fn(move |request: Request<Incoming>| {
        let note = Rc::clone(&note);
        async move {
            let (parts, body) = request.into_parts();
            let body_bytes = body.collect().await.map_or(usize::MAX, |it| it.to_bytes().len());
            let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
            let meaning = Meaning { method: parts.method.to_string(), target, body_bytes };
            note.borrow_mut().get_or_insert(meaning);
            let response = Response::builder().header("Connection", "close");
            Ok::<_, Infallible>(response.body(Empty::<Bytes>::new()).unwrap())
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    let connection = builder.half_close(true).serve_connection(TokioIo::new(server), service);
    let talk = async {
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // What it answers is of no interest; only that it comes to an end.
        let _ = client.read_to_end(&mut answer).await;
    };
    // A refusal is what is asked about: it is no failure of the test.
    let _ = tokio::join!(connection, talk).0;
    found.borrow_mut().take()
}

async fn compare(request: &[u8]) -> bool {
    let Some(expected) = ours(request) else { return false };
    let mut whole = request.to_vec();
    let head_bytes = parse_head(request, &Limits::default()).unwrap().unwrap().head_bytes();
    // A body that is not all there yet will come.
    whole.resize(whole.len().max(head_bytes + expected.body_bytes), b'x');
    if whole.len() > 60_000 {
        return false;
    }
    assert_eq!(theirs(&whole).await, Some(expected), "{}", request.escape_ascii());
    true
}

#[test]
fn whatever_is_accepted_is_read_as_hyper_reads_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let cases = std::env::var("HYPER_CASES").map_or(20_000, |it| it.parse().unwrap());
    let mut chance = Chance(0x5EED_0001);
    let mut accepted = 0;
    runtime.block_on(async {
        for request in REQUESTS {
            compare(request.as_bytes()).await;
        }
        for _ in 0..cases {
            let mut request =
                REQUESTS.get(chance.below(REQUESTS.len())).unwrap().as_bytes().to_vec();
            for _ in 0..=chance.below(3) {
                chance.spoil(&mut request);
            }
            accepted += u32::from(compare(&request).await);
        }
    });
    // Both verdicts have to occur, or nothing was compared.
    assert!(accepted > cases / 10 && accepted < cases / 10 * 9, "{accepted} of {cases} accepted");
}

/// Spoils a request, mostly in the length of its body.
fn varied(chance: &mut Chance, request: &str) -> Vec<u8> {
    let mut varied = request.as_bytes().to_vec();
    if chance.below(2) == 0 {
        let length = ["Content-Length: 7", "Content-Length: 0012", "Content-Length: 1048577"];
        let length = length.get(chance.below(length.len())).unwrap();
        varied = request.replace("Content-Length: 3", length).into_bytes();
    }
    if chance.below(2) == 0 {
        chance.spoil(&mut varied);
    }
    varied
}

#[test]
fn a_head_that_is_known_again_is_read_alike() {
    let limits = Limits::default();
    let mut chance = Chance(0x5EED_0002);
    let (mut kept, mut again) = (0, 0);
    for _ in 0..100_000 {
        let request = REQUESTS.get(chance.below(3)).unwrap();
        let (first, second) = (varied(&mut chance, request), varied(&mut chance, request));
        let Ok(Some(read)) = parse_head(&first, &limits) else { continue };
        let Some(known) = KnownHead::of(&first, &read) else { continue };
        kept += 1;
        let Some((head_bytes, content_length)) = known.comes_again(&second, &limits) else {
            continue;
        };
        again += 1;
        let other = parse_head(&second, &limits).unwrap().unwrap();
        assert_eq!((other.head_bytes(), other.content_length()), (head_bytes, content_length));
        let said = |head: &protocol::http::Head<'_>| {
            let lines = head.lines().filter(|it| !it.0.eq_ignore_ascii_case("content-length"));
            let lines: Vec<_> = lines.map(|(name, value)| format!("{name}:{value}")).collect();
            (head.method(), head.path().to_owned(), lines, head.keep_alive(), head.version())
        };
        assert_eq!(said(&read), said(&other), "{}", second.escape_ascii());
    }
    assert!(kept > 10_000 && again > kept / 10, "{again} of {kept} known again");
}
