//! Servers that publish and read over HTTP, and what all kinds of client share.

use std::collections::VecDeque;

use engine::pressure::Pressure;
use protocol::client::{self, Target};
use protocol::{Keep, auth};

use crate::checker::{DATA_END, Sender, Truth, field, number_of, read_message};
use crate::deletions::write_bare;
use crate::dooms::DoomId;
use crate::faults::Fault;
use crate::journal::Key;
use crate::keys::{api_key, application_key, project_key, tenant_name};
use crate::passing::path_elsewhere;
use crate::scene::Scene;
use crate::sides::LIST;

/// Which part of a channel's past is asked for, when, and where the channel stood then.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    after: u64,
    limit: u64,
    position: u64,
    step: u64,
}

/// A request whose answer is due.
#[derive(Debug)]
pub enum Asked {
    Publish(usize),
    /// In Infrai's words.
    PublishTo(usize),
    /// In Infrai's words, with a key.
    PublishKeyed(usize),
    /// The same again, after nobody heard the answer.
    Retry(usize),
    /// A list of messages.
    List,
    History(Past),
    /// That messages go.
    Drop(DoomId),
    /// To have the resource.
    Provision,
    /// To have the channel registered.
    Create,
    /// Something that will be refused.
    Nonsense,
}

/// A server on a keep-alive connection.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what can be wrong with a peer is independent")]
pub struct HttpClient {
    publisher: usize,
    /// Which channel it works with.
    pub key: Key,
    /// What waits for its answer, in order.
    pub asked: VecDeque<Asked>,
    heard: Vec<u8>,
    /// Whether it was told that the resource is not there.
    is_unserved: bool,
    /// Whether it said its last word.
    done: bool,
    /// Whether it said so by closing its half of the connection.
    pub is_half_closed: bool,
    /// Whether it said half a request, and nothing since.
    pub is_stuck: bool,
    /// What others had published with a key, and heard nothing of.
    pub to_retry: Vec<usize>,
}

impl HttpClient {
    /// A server that has said nothing.
    pub fn new(publisher: usize, key: Key) -> Self {
        Self {
            publisher,
            key,
            asked: VecDeque::new(),
            heard: Vec::new(),
            is_unserved: false,
            done: false,
            is_half_closed: false,
            is_stuck: false,
            to_retry: Vec::new(),
        }
    }

    /// Requests that wait for their answers.
    pub fn waiting(&self) -> usize {
        self.asked.len()
    }

    /// Publishes once, to be kept.
    pub fn publish(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>, keep: Keep) {
        let pad = pad(scene);
        let sender = Sender { key: &self.key, publisher: self.publisher, step: scene.step };
        let number = scene.truth.issue(&sender, keep, |it| payload(it, pad));
        let mut body = Vec::new();
        let data = &scene.truth.issued[number].data;
        client::write_publish_body(&mut body, &self.key.1, &format!("e{number}"), data, keep);
        self.request(out, scene, Some(&body), "/edge/realtime");
        self.asked.push_back(Asked::Publish(number));
    }

    /// Publishes in Infrai's words, now and then with an idempotency key: that takes more steps.
    fn publish_to(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let (pad, is_keyed) = (pad(scene), scene.random.permille(600));
        let keep = scene.random.one_of(&[Keep::Persist, Keep::Persist, Keep::Pass]);
        let sender = Sender { key: &self.key, publisher: self.publisher, step: scene.step };
        let number = scene.truth.issue(&sender, keep, |it| payload(it, pad));
        self.write_publish(number, is_keyed, out, scene);
        let is_behind = self.asked.iter().any(|it| matches!(it, Asked::PublishKeyed(_)));
        scene.seen.note_if(is_behind && !is_keyed, "published behind one with more steps");
        let asked = if is_keyed { Asked::PublishKeyed } else { Asked::PublishTo };
        self.asked.push_back(asked(number));
    }

    /// Publishes in Infrai's words what is numbered already.
    fn write_publish(&self, number: usize, is_keyed: bool, out: &mut Vec<u8>, scene: &Scene<'_>) {
        let mut body = Vec::new();
        let issued = &scene.truth.issued[number];
        let (event, data) = (format!("e{number}"), &issued.data);
        client::write_publish_body(&mut body, &self.key.1, &event, data, issued.keep);
        if is_keyed {
            body.pop();
            body.extend_from_slice(format!(",\"idempotency_key\":\"k{number}\"}}").as_bytes());
        }
        let bearer = project_key(&self.key);
        let path = "/v1/realtime/publish";
        client::write_post(out, &Target { host: "stentor", path, bearer: Some(&bearer) }, &body);
    }

    /// What it published with a key, to be kept, and heard nothing of.
    pub fn unanswered_keyed(&self, truth: &Truth) -> Vec<usize> {
        let keyed = self.asked.iter().filter_map(|it| match it {
            Asked::PublishKeyed(number) | Asked::Retry(number) => Some(*number),
            Asked::Publish(_)
            | Asked::PublishTo(_)
            | Asked::List
            | Asked::History(_)
            | Asked::Drop(_)
            | Asked::Provision
            | Asked::Create
            | Asked::Nonsense => None,
        });
        let kept = keyed.filter(|it| truth.issued[*it].keep == Keep::Persist);
        kept.chain(self.to_retry.iter().copied()).collect()
    }

    /// Says half of a request. Returns whether it does.
    pub fn say_half(&mut self, out: &mut Vec<u8>) -> bool {
        if self.done {
            return false;
        }
        out.extend_from_slice(b"POST /edge/realtime HTTP/1.1\r\nHost: stent");
        (self.done, self.is_stuck) = (true, true);
        true
    }

    /// Does something.
    pub fn act(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        if self.done || self.asked.len() >= 24 {
            return;
        }
        if self.is_unserved && scene.random.permille(700) {
            return self.provision(out);
        }
        if let Some(number) = self.to_retry.pop() {
            scene.truth.retried.insert(number);
            self.write_publish(number, true, out, scene);
            return self.asked.push_back(Asked::Retry(number));
        }
        if scene.plan.has(Fault::KeyedRetries) && scene.random.permille(300) {
            return self.publish_to(out, scene);
        }
        if scene.plan.has(Fault::LateSides) && scene.random.permille(200) {
            return self.ask_list(out);
        }
        let max = scene.plan.limits.pipelined_requests_max;
        scene.seen.note_if(self.asked.len() > max, "pipelined requests waited");
        match scene.random.below(22) {
            0..=5 => self.publish(out, scene, Keep::Persist),
            6..=8 => self.publish(out, scene, Keep::Pass),
            9..=12 => self.publish_to(out, scene),
            13..=16 => self.ask_history(out, scene),
            17 => {
                let path =
                    scene.random.one_of(&["/nothing/here", "/health/ready", "/edge/realtime"]);
                self.request(out, scene, None, path);
                self.asked.push_back(Asked::Nonsense);
            }
            21 if !scene.plan.has(Fault::Deletions) => {
                let path = path_elsewhere(scene.random, scene.plan.shards);
                self.request(out, scene, None, &path);
                self.asked.push_back(Asked::Nonsense);
            }
            18..=19 if scene.plan.has(Fault::Deletions) => self.drop_something(out, scene),
            18 if scene.random.permille(200) => {
                self.done = true;
                self.is_half_closed = true;
            }
            18 => {
                self.request(out, scene, Some(b"{\"channel\":}"), "/edge/realtime");
                self.asked.push_back(Asked::Nonsense);
            }
            19 if scene.random.permille(300) => self.drop_something(out, scene),
            20 if scene.random.permille(500) => self.ask_list(out),
            _ if scene.plan.has(Fault::Garbage) => {
                out.extend_from_slice(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nand more");
                self.asked.push_back(Asked::Nonsense);
                self.done = scene.random.permille(500);
            }
            _ => {}
        }
    }

    fn ask_list(&mut self, out: &mut Vec<u8>) {
        write_bare(out, "GET", "/api/realtime/messages", &api_key(self.key.0), "");
        self.asked.push_back(Asked::List);
    }

    /// Hears bytes of the node.
    pub fn hear(&mut self, bytes: &[u8], scene: &mut Scene<'_>) {
        self.heard.extend_from_slice(bytes);
        while let Some(head) = client::parse_response(&self.heard).expect("an HTTP response") {
            let end = head.head_bytes + head.content_length;
            if self.heard.len() < end {
                return;
            }
            let body = String::from_utf8(self.heard[head.head_bytes..end].to_vec()).unwrap();
            self.heard.drain(..end);
            self.answered(head.status, &body, scene);
        }
    }

    fn answered(&mut self, status: u16, body: &str, scene: &mut Scene<'_>) {
        let asked = self.asked.pop_front();
        match (asked, status) {
            (Some(Asked::Publish(number)), 200) => {
                let event = field(body, "event").unwrap_or_else(|| panic!("no publish: {body}"));
                assert_eq!(number_of(event), number, "answers come in the order of the requests");
                let offset = field(body, "id").map(|it| it.parse().unwrap());
                scene.truth.accept(number, offset);
                scene.seen.note("acknowledged over HTTP");
            }
            (Some(Asked::Drop(doom)), 200) => {
                let is_done = !body.contains("\"deleted\":false");
                self.is_unserved |= body.contains("\"success\"");
                scene.seen.note_if(is_done, "messages let go");
                scene.truth.end_doom(doom, is_done.then_some(scene.step));
            }
            (Some(Asked::Drop(doom)), 400..=599) => scene.truth.end_doom(doom, None),
            (Some(Asked::Provision), 200..=599) => self.is_unserved = false,
            (Some(Asked::Create), 200..=599) => {}
            (Some(Asked::List), 200) => {
                assert_eq!(body, LIST, "another list");
                scene.seen.note("messages listed");
            }
            (Some(Asked::List), 400..=599) => {}
            (Some(Asked::Retry(number)), 200) => {
                assert!(field(body, "message_id").is_some(), "no publish: {body}");
                scene.truth.accept_unplaced(number);
                scene.seen.note("published again after an unknown result");
            }
            // It says nothing of the first one.
            (Some(Asked::Retry(_)), 400..=599) => {}
            (Some(Asked::PublishTo(number) | Asked::PublishKeyed(number)), 200) => {
                assert!(field(body, "message_id").is_some(), "no publish: {body}");
                scene.truth.accept_unplaced(number);
                scene.seen.note("acknowledged in an envelope");
            }
            (
                Some(
                    Asked::Publish(number) | Asked::PublishTo(number) | Asked::PublishKeyed(number),
                ),
                400..=599,
            ) => {
                self.is_unserved |= body.contains("not provisioned");
                scene.truth.refuse(number);
                scene.seen.note("answer refused over HTTP");
                scene.seen.note_if(status == 413, "message over its limit");
                note_limits(body, scene);
            }
            (Some(Asked::History(past)), 200) => {
                self.check_history(body, past, scene);
            }
            (Some(Asked::History(_)), 400..=599) => {}
            (Some(Asked::Nonsense), 200..=599) => {
                assert!(!body.starts_with("{\"channel\""), "an answer to something else: {body}");
                assert!(!body.starts_with("{\"messages\""), "an answer to something else: {body}");
                scene.seen.note_if(self.done, "closed for garbage");
            }
            // Full, or too slow: nobody asked, and nothing follows.
            (None, 408 | 503) => {
                note_limits(body, scene);
            }
            (asked, status) => panic!("{status} answers {asked:?}: {body}"),
        }
    }

    fn check_history(&self, body: &str, past: Past, scene: &mut Scene<'_>) {
        let Past { after, limit, position, step } = past;
        let list = body.strip_prefix("{\"messages\":[").unwrap_or_else(|| panic!("{body}"));
        let (mut last, mut count) = (after, 0);
        for message in list.split("{\"action\":").skip(1) {
            let message = format!("{{\"action\":{message}");
            let shown = read_message(&message);
            let offset = shown.offset.expect("what is kept has an offset");
            last = scene.truth.past_damage(&self.key, last, offset);
            assert_eq!(offset, last + 1, "history is dense, but for what is damaged");
            let number = scene.truth.show(&self.key, &shown);
            scene.truth.check_not_dropped(number, step);
            (last, count) = (offset, count + 1);
        }
        assert!(count <= limit, "history is limited");
        last = scene.truth.past_damage(&self.key, last, u64::MAX);
        assert!(last >= position.min(after + limit), "history ends at {last}, not {position}");
        scene.seen.note_if(count == 0, "history answered empty");
        let part_bytes = scene.plan.limits.side_part_bytes_max;
        scene.seen.note_if(body.len() > part_bytes, "history answered in parts");
    }

    fn ask_history(&mut self, out: &mut Vec<u8>, scene: &mut Scene<'_>) {
        let position = scene.position;
        let back = scene.random.below(8) as u64;
        let after =
            if scene.random.permille(300) { 0 } else { (position + 1).saturating_sub(back) };
        let limit = 1 + scene.random.below(10) as u64;
        let channel = &self.key.1;
        let path = format!("/edge/realtime/history?channel={channel}&after={after}&limit={limit}");
        self.request(out, scene, None, &path);
        let step = scene.step;
        self.asked.push_back(Asked::History(Past { after, limit, position, step }));
    }

    fn request(&self, out: &mut Vec<u8>, scene: &mut Scene<'_>, body: Option<&[u8]>, path: &str) {
        // A token does not outlive a clock that jumps by an hour; the key does.
        let by_key = scene.random.permille(200) || scene.plan.has(Fault::ClockJumps);
        let minute_s = scene.now.wall_ms / 60_000 * 60;
        let claims =
            auth::EdgeClaims { tenant: tenant_name(&self.key), expires_at_s: minute_s + 600 };
        let bearer = auth::sign_edge(&claims, &scene.signing_key(&self.key));
        let joint = if path.contains('?') { '&' } else { '?' };
        let keyed = format!("{path}{joint}key={}", application_key(&self.key));
        let target = Target {
            host: "stentor",
            path: if by_key { &keyed } else { path },
            bearer: (!by_key).then_some(bearer.as_str()),
        };
        match body {
            Some(body) => client::write_post(out, &target, body),
            None => client::write_get(out, &target),
        }
    }
}

fn note_limits(body: &str, scene: &mut Scene<'_>) {
    scene.seen.note_if(body.contains("connections_max"), "connection limit");
    scene.seen.note_if(body.contains(Pressure::LIMIT), "refused for want of memory");
}

/// How much longer than its least a payload is.
pub fn pad(scene: &mut Scene<'_>) -> usize {
    scene.random.one_of(&[0, 0, 1, 20, 50, 120, 300])
}

/// How many schemas payloads name.
pub const SCHEMAS: usize = 3;

/// A payload that suffers from any change: numbers without a float, a key twice, escapes.
pub fn payload(number: usize, pad: usize) -> Vec<u8> {
    let (pad, schema) = ("\\u00e9 ".repeat(pad / 7), number % SCHEMAS);
    format!(
        "{{\"n\":{number},\"schema\":\"s{schema}\",\"f\":1e400, \"k\":1,\"k\":12345678901234567890,\"s\":\"{pad}\"{DATA_END}"
    )
    .into_bytes()
}
