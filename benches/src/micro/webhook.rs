//! Deliveries of webhooks: from messages in a journal on disk to receivers on loopback that count and answer at once.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use engine::reactor::Clock;
use engine::side::webhook::{
    CatalogPlaces, Counts, EgressRules, Hook, Hooks, Ledger, Pick, Private, Source, WebhookLimits,
    WebhookOptions, WebhookParts, Webhooks,
};
use storage::{
    Answer, ChannelKey, Draft, Epoch, JournalKind, JournalOptions, MessageId, Offset, Publication,
    QueueLimits, TenantId, Writer, WriterHandle,
};

use super::row;
use crate::Failure;
use crate::machine::now;
use crate::table::Table;

const TENANT: TenantId = TenantId(1);
const PAYLOAD_BYTES: usize = 128;
/// Deliveries of each row.
const DELIVERIES: u64 = 40_000;
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures the room.
pub(super) fn measure(data: &Path, table: &mut Table) -> Result<(), Failure> {
    for endpoints in [1, 16, 256] {
        let folder = tempfile::tempdir_in(data)?;
        let rate = rate(folder.path(), endpoints, DELIVERIES)?;
        let what = format!("{PAYLOAD_BYTES} B to {endpoints} receivers, signed: one delivery");
        table.row(row("webhook", &what, 1e9 / rate));
    }
    Ok(())
}

/// Every channel belongs to the one hook.
struct All;

impl Pick for All {
    fn hook(&self, _: &str) -> Option<&str> {
        Some("all")
    }
}

/// Nobody reads the counts.
struct Unread;

impl Ledger for Unread {
    fn count(&mut self, _: &Publication, _: Counts) {}
}

/// Deliveries a second.
fn rate(folder: &Path, endpoints: u64, deliveries: u64) -> Result<f64, Failure> {
    let came = Arc::new(AtomicU64::new(0));
    let url = receiver(Arc::clone(&came))?;
    let journal =
        storage::open(JournalKind::Segment, &folder.join("journal"), &JournalOptions::default())?;
    let writer = Writer::spawn("journal", journal, QueueLimits::default(), Box::new(|| {}))?;
    let mut options = WebhookOptions {
        limits: WebhookLimits::default(),
        rules: EgressRules { private: Private::Allowed, ..EgressRules::default() },
        ..WebhookOptions::default()
    };
    let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=".to_owned();
    options.form.secrets.current = Some(engine::config::Secret::new(secret));
    let parts = WebhookParts {
        source: Source::new(vec![writer.reader(PATIENCE)]),
        ledger: Box::new(Unread),
        clock: Clock::start(),
    };
    let places = CatalogPlaces::open(&folder.join("webhooks"))?;
    let (webhooks, door) = Webhooks::start(options, parts, places)?;
    let urls = (0..endpoints).map(|it| format!("{url}?{it}").into()).collect();
    let hooks =
        Hooks { version: 0, list: vec![Hook { id: "all".into(), urls }], pick: Arc::new(All) };
    let (answer, answers) = channel();
    let reply = Box::new(move |it| drop(answer.send(it)));
    door.set(TENANT, hooks, reply).map_err(|_| "the door is shut")?;
    answers.recv_timeout(PATIENCE)?.map_err(|why| why.to_string())?;

    let (start, wanted) = (now(), deliveries / endpoints * endpoints);
    // The first go out before the last is published.
    publish(&writer, deliveries / endpoints)?;
    while came.load(Ordering::Relaxed) < wanted {
        thread::park_timeout(Duration::from_millis(1));
        if start.elapsed() > PATIENCE {
            return Err(format!("only {} deliveries came", came.load(Ordering::Relaxed)).into());
        }
    }
    let rate = wanted as f64 / start.elapsed().as_secs_f64();
    drop(door);
    webhooks.join()?;
    Ok(rate)
}

/// Makes messages durable.
fn publish(writer: &WriterHandle, messages: u64) -> Result<(), Failure> {
    let channel = Arc::new(ChannelKey::new(TENANT, "room:1"));
    let payload = format!("\"{}\"", "x".repeat(PAYLOAD_BYTES - 2));
    let at_ms = Clock::start().now().wall_ms;
    for number in 1..=messages {
        let publication = Publication::new(&Draft {
            channel: &channel,
            epoch: Epoch(1),
            offset: Some(Offset(number)),
            id: MessageId(number.into()),
            at_ms,
            sender: "ada",
            sender_kind: storage::SenderKind::System,
            event: "said",
            payload: payload.as_bytes(),
            idempotency: None,
        });
        writer.try_append(Arc::new(publication)).map_err(|_| "the journal is full")?;
    }
    let mut left = messages;
    while left > 0 {
        match writer.wait() {
            Some(Answer::Committed { count }) => left -= count as u64,
            other => return Err(format!("the journal says {other:?}").into()),
        }
    }
    Ok(())
}

/// Starts a receiver; it ends with the process. Returns where it is.
fn receiver(came: Arc<AtomicU64>) -> Result<String, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let came = Arc::clone(&came);
            thread::spawn(move || serve(&stream, &came));
        }
    });
    Ok(url)
}

/// Answers one request after the other, until there is none.
fn serve(mut stream: &TcpStream, came: &AtomicU64) -> Option<()> {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let mut reader = BufReader::new(stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body).ok()?;
        stream.write_all(ANSWER).ok()?;
        came.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_delivery_comes() {
        let folder = tempfile::tempdir().unwrap();
        assert!(rate(folder.path(), 4, 200).unwrap() > 0.0);
    }
}
