//! Rules on a shard: what policies deny is denied, and what they would deny while they are only tried is done; and what changes of
//! patterns cost.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;

use engine::control::{
    CatalogAnswer, CatalogAsk, Operate, Operation, PatternDraft, RegisteredPattern, RuleChange,
    RulesOp,
};
use engine::frame::{Frame, Piece};
use engine::ids::{ConnId, MessageId, Now, ShardId, TenantId};
use engine::limits::Limits;
use engine::shard::effects::{Effects, Outlet};
use engine::shard::input::Input;
use engine::shard::{Shard, ShardOptions};
use engine::side::webhook::Hooked;
use engine::tenants::{InsforgeSpec, PolicyMode, TenantSpec, Tenants};
use protocol::client::{Target, write_upgrade};
use protocol::dialect::insforge::Pattern;
use protocol::dialect::insforge::rest::decode_permissions;
use protocol::ws::{Opcode, append_masked};

const ONE: TenantId = TenantId(1);
const POLICIES: &str = r#"{
  "subscribe":{"policies":[{"policyName":"open","pattern":"chat:open","using":"true"}]},
  "publish":{"policies":[{"policyName":"none","using":"false"}]}
}"#;

/// Everything that one connection is sent.
#[derive(Default)]
struct Sent(Vec<u8>);

impl Outlet for Sent {
    fn share(&mut self, frame: &Frame, _: ConnId) {
        self.0.extend_from_slice(frame.bytes());
    }

    fn gather(&mut self, _: ConnId, pieces: &[Piece]) {
        pieces.iter().for_each(|it| self.0.extend_from_slice(it.bytes()));
    }
}

/// A shard alone, with a client on the WebSocket of the documents.
struct Alone {
    shard: Shard,
    effects: Effects,
    now: Now,
    conn: ConnId,
}

impl Alone {
    fn new(policy_mode: PolicyMode) -> Self {
        let anon_key = Some("anon_1".to_owned());
        let insforge = Some(InsforgeSpec { anon_key, policy_mode, ..InsforgeSpec::default() });
        let spec = TenantSpec { id: ONE, name: "one".into(), insforge, ..TenantSpec::default() };
        let now = Now { monotonic_ms: 0, wall_ms: 1_700_000_000_000 };
        let mut shard = Shard::new(ShardOptions {
            id: ShardId(0),
            shard_count: 1,
            limits: Limits::default(),
            tenants: Arc::new(Tenants::new(&[spec], [9; 32])),
            seed: 1,
            now,
        });
        let pattern = RegisteredPattern {
            id: MessageId(7),
            pattern: Pattern::parse("chat:%").unwrap(),
            description: None,
            webhook_urls: None,
            enabled: true,
            created_at_ms: 1,
            updated_at_ms: 1,
        };
        shard.restore_rule(ONE, &RuleChange::Pattern(Arc::new(pattern)));
        let limits = protocol::Limits::default();
        let policies = decode_permissions(&mut POLICIES.as_bytes().to_vec(), &limits).unwrap();
        shard.restore_rule(ONE, &RuleChange::Policies(Some(Arc::new(policies))));
        let conn = ConnId { slot: 0, generation: 0 };
        let mut alone = Self { shard, effects: Effects::default(), now, conn };
        alone.shard.handle(now, Input::Opened(conn), &mut alone.effects);
        let mut bytes = Vec::new();
        let target = Target { host: "a", path: "/realtime", bearer: None };
        write_upgrade(&mut bytes, &target, [1; 16]);
        let head = alone.feed(&mut bytes);
        assert!(head.contains("HTTP/1.1 101"), "{head}");
        let welcome = alone.say(r#"{"type":"auth","token":"anon_1"}"#);
        assert!(welcome.contains("auth_success"), "{welcome}");
        alone
    }

    fn feed(&mut self, bytes: &mut [u8]) -> String {
        self.shard.handle(self.now, Input::Bytes(self.conn, bytes), &mut self.effects);
        let mut sent = Sent::default();
        self.shard.flush(0, &mut sent);
        String::from_utf8_lossy(&sent.0).into_owned()
    }

    fn handle(&mut self, input: Input<'_>) {
        self.shard.handle(self.now, input, &mut self.effects);
    }

    /// The catalog keeps what it is asked to, and the shard does all that is due.
    fn settle(&mut self) {
        loop {
            let commits = std::mem::take(&mut self.effects.catalog);
            if commits.is_empty() && !self.shard.is_resumable() {
                return;
            }
            for CatalogAsk { token, .. } in commits {
                self.handle(Input::Catalog(CatalogAnswer { token, result: Ok(()) }));
            }
            self.handle(Input::Resume);
        }
    }

    /// What a frame is answered.
    fn say(&mut self, text: &str) -> String {
        let mut bytes = Vec::new();
        append_masked(&mut bytes, Opcode::Text, text.as_bytes(), [1, 2, 3, 4]);
        self.feed(&mut bytes)
    }
}

fn check(mode: PolicyMode, text: &str, expected: &str) {
    let answer = Alone::new(mode).say(text);
    assert!(answer.contains(expected), "{mode:?} {text}: {answer}");
}

#[test]
fn what_policies_deny_is_denied_and_while_they_are_tried_it_is_done() {
    let closed = r#"{"type":"subscribe","channel":"chat:closed"}"#;
    check(PolicyMode::Enforced, closed, "Channel not found or not accessible");
    check(PolicyMode::Shadow, closed, "\"subscribed\"");
    for mode in [PolicyMode::Enforced, PolicyMode::Shadow] {
        check(mode, r#"{"type":"subscribe","channel":"chat:open"}"#, "\"subscribed\"");
        // No policy is asked about a channel that no pattern names.
        let nowhere = r#"{"type":"subscribe","channel":"nowhere"}"#;
        check(mode, nowhere, "Channel not found or not accessible");
    }
}

#[test]
fn what_is_tried_is_done_however_often_it_is_asked() {
    let mut alone = Alone::new(PolicyMode::Shadow);
    for number in 0..50 {
        let text = format!("{{\"type\":\"subscribe\",\"channel\":\"chat:{number}\"}}");
        let answer = alone.say(&text);
        assert!(answer.contains("\"subscribed\""), "{answer}");
    }
}

/// However many patterns change while the webhooks of some are set, what is set next has all of them: none is refused.
#[test]
fn changes_of_patterns_that_come_together_have_their_webhooks_set_together() {
    let mut alone = Alone::new(PolicyMode::Shadow);
    for number in 0..200 {
        let draft = PatternDraft {
            id: MessageId(100 + u128::from(number)),
            pattern: Pattern::parse(&format!("room:{number}")).unwrap(),
            description: None,
            webhook_urls: Some(Box::new(["https://a.example/".into()])),
            enabled: true,
        };
        let what = Operate::Rules(RulesOp::Create(Box::new(draft)));
        let operation = Operation { number, tenant: ONE, claim: None, what };
        alone.handle(Input::Operation(Box::new(operation)));
    }
    let mut versions = Vec::new();
    alone.settle();
    while let Some(ask) = alone.effects.hooks.pop() {
        assert!(alone.effects.hooks.is_empty(), "one setting at a time");
        versions.push((ask.version, ask.patterns.len()));
        alone.handle(Input::Hooked(Hooked { tenant: ONE, version: ask.version, result: Ok(()) }));
        alone.settle();
    }
    // Beside the pattern that was there.
    assert_eq!(versions, [(1, 2), (200, 201)]);
    let answered: Vec<_> = alone.effects.operated.iter().map(|(number, _)| *number).collect();
    assert_eq!(answered, (0..200).collect::<Vec<_>>());
    assert!(alone.effects.operated.iter().all(|(_, result)| result.is_ok()));
}

/// Whoever has as many subscriptions as it may does not leave a filter for each that it is refused.
#[test]
fn filters_come_and_go_with_their_subscriptions() {
    let mut alone = Alone::new(PolicyMode::Shadow);
    let most = Limits::default().subscriptions_per_connection_max;
    for number in 0..2 * most {
        let rest = format!(r#""channel":"chat:{number}","filter":{{"event":"e"}}"#);
        let answer = alone.say(&format!(r#"{{"type":"subscribe",{rest}}}"#));
        let expected = if number < most { "\"subscribed\"" } else { "\"error\"" };
        assert!(answer.contains(expected), "{number}: {answer}");
    }
    assert_eq!(alone.shard.load().filters_most, most);
    alone.say(r#"{"type":"unsubscribe","channel":"chat:0"}"#);
    alone.say(r#"{"type":"subscribe","channel":"chat:1"}"#);
    assert_eq!(alone.shard.load().filters_most, most - 2);
}

#[test]
fn an_operator_is_told_the_policies_that_are_in_force() {
    let mut alone = Alone::new(PolicyMode::Enforced);
    for (number, tenant, expected) in [(1, ONE, "\"policyName\":\"open\""), (2, TenantId(2), "[]")]
    {
        let what = Operate::Policies;
        let operation = Operation { number, tenant, claim: None, what };
        let input = Input::Operation(Box::new(operation));
        alone.shard.handle(alone.now, input, &mut alone.effects);
        let (answered, result) = alone.effects.operated.pop().unwrap();
        let body = String::from_utf8(result.unwrap()).unwrap();
        assert_eq!(answered, number);
        assert!(body.contains(expected), "{body}");
        let limits = protocol::Limits::default();
        assert!(decode_permissions(&mut body.into_bytes(), &limits).is_ok(), "it can be set again");
    }
}
