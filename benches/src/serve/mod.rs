//! Minimal broadcasters on WebSocket libraries of this language, written as well as those libraries allow: one thread, one
//! text for all subscribers, and one write for everything that waits for a subscriber. They speak what the floors speak.

mod fast;
mod tung;

use std::io;
use std::net::TcpListener;
#[expect(
    clippy::disallowed_types,
    reason = "tasks of tokio have to be Send; this is no shard"
)]
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};

use clap::ValueEnum;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::floor::http::{self, Request};
use crate::floor::server::{ANSWER, SUBSCRIBED, append_json, append_message, append_upgrade};

/// What frames are written with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Library {
    /// `tokio-tungstenite`.
    Tungstenite,
    /// `fastwebsockets`.
    Fastwebsockets,
}

/// Where everybody who is connected gets their texts. A task that is alone on its thread never waits for the lock.
#[expect(clippy::disallowed_types, reason = "tasks of tokio have to be Send; this is no shard")]
type Hub = Arc<Mutex<Vec<UnboundedSender<Utf8Bytes>>>>;

/// Serves for ever.
pub(crate) fn run(library: Library, listener: TcpListener) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let hub = Hub::default();
        loop {
            let (stream, _) = listener.accept().await?;
            let hub = Arc::clone(&hub);
            // A connection that breaks ends its task, and nothing else.
            tokio::spawn(async move { converse(stream, library, &hub).await });
        }
    })
}

/// Answers requests until one of them makes a subscriber of the connection.
async fn converse(mut stream: TcpStream, library: Library, hub: &Hub) -> io::Result<()> {
    let (mut bytes, mut out) = (Vec::new(), Vec::new());
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        let (mut done, mut is_socket) = (0, false);
        while let Some(request) = bytes.get(done..).and_then(http::first) {
            done += request.bytes;
            is_socket |= answer(&request, &mut out, hub);
        }
        bytes.drain(..done);
        stream.write_all(&out).await?;
        out.clear();
        if is_socket {
            let (sender, inbox) = unbounded_channel();
            // The receiver is here.
            let _ = sender.send(Utf8Bytes::from_static(SUBSCRIBED));
            hub.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
            subscribe(stream, library, inbox).await;
            return Ok(());
        }
    }
}

/// Whether the connection is a socket from now on.
fn answer(request: &Request<'_>, out: &mut Vec<u8>, hub: &Hub) -> bool {
    if request.head.starts_with(b"POST /edge/realtime?") {
        let mut text = Vec::new();
        append_message(&mut text, request.body);
        if let Ok(text) = Utf8Bytes::try_from(text) {
            let mut subscribers = hub.lock().unwrap_or_else(PoisonError::into_inner);
            subscribers.retain(|it| it.send(text.clone()).is_ok());
        }
        out.extend_from_slice(ANSWER);
    } else if request.head.starts_with(b"POST /edge/realtime/token") {
        append_json(out, "{\"token\":\"t\"}");
    } else if append_upgrade(out, request.head) {
        return true;
    } else {
        append_json(out, "{\"name\":\"broadcaster\"}");
    }
    false
}

async fn subscribe(stream: TcpStream, library: Library, inbox: UnboundedReceiver<Utf8Bytes>) {
    match library {
        Library::Tungstenite => tung::subscribe(stream, inbox).await,
        Library::Fastwebsockets => fast::subscribe(stream, inbox).await,
    }
}
