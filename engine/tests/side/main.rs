//! The side threads without a node around them: a vendor's answer, and every way in which there is none.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use engine::ids::{CallId, ShardId};
use engine::side::{
    Authorities, Side, SideAnswer, SideAsk, SideLimits, SideLink, SideOptions, VendorAsk,
};
use protocol::Rejection;
use protocol::auth::vendor::{LiveblocksKey, VendorFault};
use storage::{JournalKind, JournalOptions, QueueLimits, Writer, WriterHandle};

const SECRET: &str = "sk_canary_5b1f0c9e";

/// The server that the tests of the binary use too.
struct Upstream(Child, String);

impl Upstream {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/upstream.mjs");
        let mut command = Command::new("node");
        let mut child =
            command.arg(script).stdout(Stdio::piped()).spawn().expect("node is missing");
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self(child, format!("http://127.0.0.1:{}", port.trim()))
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait(); // so that no zombie is left
    }
}

struct World {
    side: Side,
    link: SideLink,
    _writer: WriterHandle,
    calls: u64,
}

fn world(answer_timeout_ms: u64) -> World {
    let limits = SideLimits { answer_timeout_ms, ..SideLimits::default() };
    let side = Side::start(SideOptions {
        kit: None,
        authorities: Authorities::default(),
        limits,
        shards: 1,
    })
    .unwrap();
    let options = JournalOptions::default();
    let journal = storage::open(JournalKind::Memory, Path::new(""), &options).unwrap();
    let queue = QueueLimits { messages_max: 1, bytes_max: 1, reads_max: 16 };
    let writer = Writer::spawn("journal", journal, queue, Box::new(|| {})).unwrap();
    let waiting = thread::current();
    let wake = Box::new(move || waiting.unpark());
    let link = side.door().link(ShardId(0), writer.reader(Duration::from_secs(1)), wake);
    World { side, link, _writer: writer, calls: 0 }
}

impl World {
    fn ask(&mut self, url: String) -> CallId {
        self.calls += 1;
        let call = CallId(self.calls);
        let authorization = LiveblocksKey::parse(SECRET).ok().unwrap().authorization();
        let body = br#"{"userId":"ada"}"#.to_vec();
        let ask = SideAsk::Vendor(
            call,
            Box::new(VendorAsk { vendor: "liveblocks", url, authorization, body }),
        );
        assert!(!format!("{ask:?}").contains("canary"));
        assert!(self.link.send(ask));
        call
    }

    fn answer(&self, to: CallId) -> SideAnswer {
        for _ in 0..200 {
            if let Some((call, answer)) = self.link.take() {
                assert_eq!(call, to);
                return answer;
            }
            thread::park_timeout(Duration::from_millis(100));
        }
        panic!("no answer");
    }

    fn check_failed(&mut self, url: String, cause: VendorFault) {
        let call = self.ask(url);
        let answer = self.answer(call);
        let SideAnswer::Failed(why) = answer else { panic!("{answer:?}") };
        assert_eq!(why, Rejection::Vendor { vendor: "liveblocks", cause });
        assert_eq!((why.status(), why.message().contains("canary")), (502, false));
    }
}

#[test]
fn a_vendor_is_asked_with_its_key_and_answers_whole() {
    let upstream = Upstream::start();
    let mut world = world(5_000);
    let call = world.ask(format!("{}/v2/token", upstream.1));
    let answer = world.answer(call);
    let SideAnswer::Whole(answer) = answer else { panic!("{answer:?}") };
    assert_eq!(answer.status, 200);
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let expected = serde_json::json!({
        "token": "signed", "asked": {"userId": "ada"}, "by": format!("Bearer {SECRET}"),
    });
    assert_eq!(body, expected);
    // What the vendor says against it is for the caller to read, and not to be printed.
    let call = world.ask(format!("{}/v2/refused", upstream.1));
    let answer = world.answer(call);
    assert!(!format!("{answer:?}").contains("canary"));
    let SideAnswer::Whole(answer) = answer else { panic!("{answer:?}") };
    assert_eq!(answer.status, 403);
    drop(world.link);
    world.side.join().unwrap();
}

#[test]
fn a_vendor_that_does_not_answer_well_is_one_fault() {
    let upstream = Upstream::start();
    let mut world = world(500);
    for (path, cause) in [
        ("nothing", VendorFault::TimedOut),
        ("broken", VendorFault::Unreachable),
        ("huge", VendorFault::Answer),
        ("parts", VendorFault::TimedOut),
    ] {
        world.check_failed(format!("{}/v2/{path}", upstream.1), cause);
    }
    let gone = upstream.1.clone();
    drop(upstream);
    world.check_failed(format!("{gone}/v2/token"), VendorFault::Unreachable);
    world.check_failed("http://".to_owned(), VendorFault::Unreachable);
}

#[test]
fn a_call_that_is_cancelled_gets_its_last_answer() {
    let upstream = Upstream::start();
    let mut world = world(60_000);
    let call = world.ask(format!("{}/v2/nothing", upstream.1));
    assert!(world.link.send(SideAsk::Cancel(call)));
    let answer = world.answer(call);
    assert!(matches!(answer, SideAnswer::Failed(_)), "{answer:?}");
    assert!(world.link.is_quiet());
}
