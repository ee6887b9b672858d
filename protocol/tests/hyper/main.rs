//! What is accepted here, hyper accepts too, and reads alike: each request of a connection, with its method, target and body.
//! Requests are written by hand and then spoilt, from a seed; `HYPER_CASES=1000000` runs more of them, and a fuzzer goes on
//! from there. A head that is known again is read as any other.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

mod reading;
#[path = "../requests/mod.rs"]
mod requests;

use protocol::Limits;
use protocol::http::{KnownHead, parse_head};
use reading::Hyper;

const REQUESTS: [&str; 10] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /edge/realtime/history?channel=a%20b&after=5 HTTP/1.1\r\nHost: a:80\r\nAccept: */*\r\n\r\n",
    "POST /edge/realtime?key=k HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: b\r\n\r\n",
    "POST /v1/realtime/publish HTTP/1.1\r\nHost: [::1]:8080\r\ncontent-length: 0\r\nConnection: close\r\n\r\n",
    "DELETE /v1/realtime/channel/delete/a%2Fb HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n",
    "GET /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n0\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n",
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

#[test]
fn whatever_is_accepted_is_read_as_hyper_reads_it() {
    let hyper = Hyper::new();
    let table = requests::cases();
    for case in &table {
        let understood = case.heads.iter().filter(|it| **it == 200).count();
        let accepted = hyper.compare(&case.bytes);
        // Those with the longest bodies are not sent.
        assert!(accepted == understood || accepted == 0, "{}", case.bytes.escape_ascii());
    }
    let written = REQUESTS.iter().map(|it| it.as_bytes().to_vec());
    let bases: Vec<_> = written.chain(table.into_iter().map(|it| it.bytes)).collect();
    let mut chance = Chance(0x5EED_0001);
    let (cases, mut compared, mut requests) = (cases(), 0, 0);
    for _ in 0..cases {
        // Half of them start from a request that is understood.
        let among = if chance.below(2) == 0 { REQUESTS.len() } else { bases.len() };
        let mut request = bases.get(chance.below(among)).unwrap().clone();
        for _ in 0..=chance.below(3) {
            chance.spoil(&mut request);
        }
        let accepted = hyper.compare(&request);
        compared += usize::from(accepted > 0);
        requests += accepted;
    }
    // Both verdicts have to occur, or nothing was compared.
    assert!(compared > cases / 10 && compared < cases / 10 * 9, "{compared} of {cases} accepted");
    tell(&format!(
        r#"trust {{"what":"streams that hyper reads alike","streams":{cases},"accepted":{compared},"requests":{requests}}}"#
    ));
}

#[test]
fn the_corpus_of_the_fuzzer_is_read_alike() {
    let hyper = Hyper::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/http_hyper");
    let inputs = std::fs::read_dir(folder).unwrap().map(|it| std::fs::read(it.unwrap().path()));
    let accepted: Vec<_> = inputs.map(|it| hyper.compare(&it.unwrap())).collect();
    assert!(accepted.len() >= 3 && accepted.contains(&0) && accepted.contains(&2), "{accepted:?}");
}

/// How many streams are compared.
fn cases() -> usize {
    let asked = std::env::var("HYPER_CASES").ok().map(|it| it.parse().unwrap());
    let usual = if std::env::var_os("TRUST").is_some() { 10_000_000 } else { 20_000 };
    asked.unwrap_or(usual)
}

#[expect(clippy::print_stdout, reason = "figures are for whoever asked for them")]
fn tell(line: &str) {
    println!("{line}");
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
