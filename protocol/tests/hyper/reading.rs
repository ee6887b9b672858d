//! Two readers of one connection: ours, and hyper. What is accepted here hyper accepts too, and reads alike.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use protocol::Limits;
use protocol::http::{KeepAlive, parse_head};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

/// What a reader makes of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Meaning {
    method: String,
    target: String,
    body: Vec<u8>,
}

/// Longer ones are not sent: a pipe holds so much.
const BYTES_MAX: usize = 60_000;

/// The other reader.
pub(crate) struct Hyper(Runtime);

impl Hyper {
    pub(crate) fn new() -> Self {
        Self(tokio::runtime::Builder::new_current_thread().build().unwrap())
    }

    /// Stops where the two differ. Returns how many requests were accepted here.
    pub(crate) fn compare(&self, bytes: &[u8]) -> usize {
        let mut whole = bytes.to_vec();
        let ours = ours(&mut whole);
        if ours.is_empty() || whole.len() > BYTES_MAX {
            return 0;
        }
        let theirs = self.0.block_on(theirs(&whole));
        let alike = theirs.get(..ours.len());
        assert_eq!(alike, Some(&*ours), "{}\n{theirs:?}", whole.escape_ascii());
        ours.len()
    }
}

/// What we accept before we refuse something, close, or need more. A body that is not all there yet will come.
fn ours(bytes: &mut Vec<u8>) -> Vec<Meaning> {
    let (mut found, mut start) = (Vec::new(), 0);
    while let Ok(Some(head)) = parse_head(bytes.get(start..).unwrap(), &Limits::default()) {
        let closes = head.keep_alive() == KeepAlive::Close;
        let (body_at, body_bytes) = (start + head.head_bytes(), head.content_length());
        let text = std::str::from_utf8(bytes.get(start..body_at).unwrap()).unwrap();
        let mut words = text.trim_start_matches("\r\n").lines().next().unwrap().split(' ');
        let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        assert!(target.starts_with(head.path()), "the path is not that of the target");
        if bytes.len() < body_at + body_bytes {
            bytes.resize(body_at + body_bytes, b'x');
        }
        start = body_at + body_bytes;
        found.push(Meaning { method, target, body: bytes.get(body_at..start).unwrap().to_vec() });
        if closes {
            break;
        }
    }
    found
}

/// What hyper makes of a connection that brings these bytes and nothing more.
async fn theirs(bytes: &[u8]) -> Vec<Meaning> {
    let found = Rc::new(RefCell::new(Vec::new()));
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let note = Rc::clone(&found);
    let service = service_fn(move |request: Request<Incoming>| {
        let note = Rc::clone(&note);
        async move {
            let (parts, body) = request.into_parts();
            if let Ok(body) = body.collect().await {
                let target = parts.uri.path_and_query().map(ToString::to_string);
                let (method, target) = (parts.method.to_string(), target.unwrap_or_default());
                note.borrow_mut().push(Meaning { method, target, body: body.to_bytes().to_vec() });
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
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
    found.take()
}
