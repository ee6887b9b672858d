//! The operator of the node: it revokes, disconnects, deletes and publishes with keys, from any shard, and knows what it was told.

use std::collections::{BTreeMap, BTreeSet};

use engine::control::{
    Bill, ClaimKey, Metered, Operate, Operation, OperatorMessage, RequestHash, SeatOp, Spend,
    TokenId,
};
use engine::ids::{MessageId, TenantId};
use engine::shard::input::Input;
use protocol::Keep;
use protocol::Rejection;

use crate::checker::Sender;
use crate::journal::Key;
use crate::rules::{Item, State};
use crate::scene::Client;
use crate::world::{TENANTS, World};

/// A tenant with a plan; nobody connects as it.
pub const METERED: TenantId = TenantId(7);
/// The first of the operator's numbers as a publisher: what it publishes has a key.
pub const FIRST_KEYED: usize = 1_000_000;
/// Messages that its plan holds.
pub const QUOTA_MAX: u64 = 25;

/// Tokens that its plan holds for a minute.
pub const MINTS_MAX: u64 = 4;

/// What the operator asked for, and was told.
#[derive(Debug, Default)]
pub struct Operator {
    pub next: u64,
    pub waiting: BTreeMap<u64, (usize, Asked)>,
    /// What came of each key: everyone who comes with it hears the same.
    keys: BTreeMap<(TenantId, u64), Told>,
    /// The ids of registered channels, by tenant and name, while nobody deletes them.
    ids: BTreeMap<(TenantId, Box<str>), String>,
    /// What the metered tenant was granted for sure, and what it may have been.
    granted: u64,
    in_doubt: u64,
    /// The tokens that it was granted for sure, and that it may have been, by the minute in which it asked and heard.
    mints: BTreeMap<u64, u64>,
    mints_in_doubt: u64,
    /// Whether the wall clock went back: then nobody but the seat knows which minute it counts in.
    pub went_back: bool,
    /// Tokens that are revoked for sure.
    pub revoked: BTreeSet<(TenantId, u128)>,
    /// What is certain of the rules of tenants.
    pub rules: BTreeMap<Item, State>,
}

/// A key, the numbers that its request publishes, and what came of it.
#[derive(Debug, Default)]
struct Told {
    numbers: Vec<usize>,
    key: Option<Key>,
    answer: Option<String>,
}

#[derive(Debug)]
pub enum Asked {
    Revoke(TenantId, u128),
    Disconnect(TenantId, Box<str>, Vec<(usize, engine::ids::ConnId)>),
    /// A client with many channels, from one of them.
    PutOut,
    Create(TenantId, Box<str>),
    Rules(Item, State),
    /// That everybody else is denied something.
    Policies,
    Publish(TenantId, u64),
    Spend(u64),
    /// One token, asked for in this minute.
    Mint(u64),
}

impl World {
    /// The operator does something on any shard.
    pub fn operate(&mut self) {
        let shard = self.random.below(self.shards.len());
        if !self.may_ask(shard) || self.operator.waiting.len() > 40 {
            return;
        }
        let tenant = TenantId(u32::try_from(self.random.below(TENANTS as usize)).unwrap());
        match self.random.below(12) {
            0 => self.revoke(shard, tenant),
            1 if self.random.permille(400) => self.put_out(shard, tenant),
            1 => self.disconnect(shard, tenant),
            2..=3 => self.register(shard, tenant),
            4 => self.spend(shard),
            5 => self.mint(shard),
            6..=7 => self.change_rules(shard, tenant),
            _ => self.publish_keyed(shard, tenant),
        }
    }

    fn revoke(&mut self, shard: usize, tenant: TenantId) {
        let token = self.random.below(1_000_000) as u128;
        let until_s = self.now.wall_ms / 1000 + 400_000;
        let what = Operate::Revoke(TokenId(token), until_s);
        self.ask(shard, (tenant, None), what, Asked::Revoke(tenant, token));
    }

    /// The metered tenant publishes something, as far as its plan is concerned.
    fn spend(&mut self, shard: usize) {
        let count = 1 + u32::try_from(self.random.below(3)).unwrap();
        let bill = Bill::of(Metered::Messages, count);
        let op = SeatOp::Spend(Spend { bill, ..Spend::default() });
        let asked = Asked::Spend(count.into());
        self.ask(shard, (METERED, None), Operate::Seat(op), asked);
    }

    /// The metered tenant makes a token, as far as its plan is concerned.
    fn mint(&mut self, shard: usize) {
        let bill = Bill::of(Metered::Mints, 1);
        let op = SeatOp::Spend(Spend { bill, ..Spend::default() });
        let minute = self.now.wall_ms / 60_000;
        self.ask(shard, (METERED, None), Operate::Seat(op), Asked::Mint(minute));
    }

    /// A token was granted, or not: no minute holds more than the plan does, and none holds less.
    fn check_mint(&mut self, asked: u64, result: &Result<Vec<u8>, Rejection>) {
        let now = self.now.wall_ms / 60_000;
        let operator = &mut self.operator;
        if operator.went_back {
            return;
        }
        match result {
            Ok(_) if asked == now => {
                let granted = operator.mints.entry(now).or_default();
                *granted += 1;
                assert!(*granted <= MINTS_MAX, "more than the plan holds in minute {now}");
                let is_new = operator.mints.len() > 1 && operator.mints[&now] == 1;
                self.seen.note_if(is_new, "quota came anew");
            }
            Err(Rejection::QuotaExceeded { .. }) if asked == now => {
                let granted = operator.mints.get(&now).copied().unwrap_or_default();
                let waiting = operator.waiting.values();
                let waiting = waiting.filter(|it| matches!(it.1, Asked::Mint(_))).count() as u64;
                let most = granted + operator.mints_in_doubt + waiting;
                assert!(most >= MINTS_MAX, "refused too early in minute {now}: after {most}");
            }
            // It may have been counted in either minute, or not at all.
            Ok(_) | Err(_) => operator.mints_in_doubt += 1,
        }
    }

    fn disconnect(&mut self, shard: usize, tenant: TenantId) {
        let wires = self.nets.iter().enumerate();
        let wires = wires.flat_map(|(place, net)| net.wires().map(move |it| (place, it)));
        let live = wires.filter(|(_, wire)| wire.is_open()).filter_map(|(place, wire)| {
            let Client::Socket(socket) = &wire.client else { return None };
            let is_theirs = socket.is_live() && socket.view.key.0 == tenant;
            is_theirs.then(|| (socket.view.user.clone(), place, wire.conn))
        });
        let live: Vec<_> = live.collect();
        if live.is_empty() {
            return;
        }
        let member = live[self.random.below(live.len())].0.clone();
        let theirs = live.into_iter().filter(|it| it.0 == member).map(|it| (it.1, it.2)).collect();
        let member: Box<str> = member.into();
        let what = Operate::Disconnect(member.clone(), None);
        self.ask(shard, (tenant, None), what, Asked::Disconnect(tenant, member, theirs));
    }

    /// Disconnects somebody from one channel.
    fn put_out(&mut self, shard: usize, tenant: TenantId) {
        let member: Box<str> = format!("u{}", self.random.below(6)).into();
        let channel = format!("c{}", self.random.below(self.plan.channels)).into();
        self.ask(shard, (tenant, None), Operate::Disconnect(member, Some(channel)), Asked::PutOut);
    }

    fn register(&mut self, shard: usize, tenant: TenantId) {
        let name: Box<str> = format!("r{}", self.random.below(3)).into();
        let id = MessageId(u128::from(self.operator.next) << 64 | u128::from(self.step));
        let op = SeatOp::CreateChannel { name: name.clone(), kind: None, id };
        self.ask(shard, (tenant, None), Operate::Seat(op), Asked::Create(tenant, name));
    }

    /// Publishes one to three messages with a key: a new one, or one that was used before with the same request.
    fn publish_keyed(&mut self, shard: usize, tenant: TenantId) {
        let number = self.random.below(6) as u64 + 10 * (self.step / 400);
        let known = self.operator.keys.contains_key(&(tenant, number));
        if !known {
            let keys = self.keys();
            let ours: Vec<_> = keys.into_iter().filter(|it| it.0 == tenant).collect();
            let key = ours[self.random.below(ours.len())].clone();
            let count = 1 + self.random.below(3);
            let publisher = FIRST_KEYED + 10 * usize::try_from(self.operator.next).unwrap();
            let numbers = (0..count).map(|place| {
                let sender = Sender { key: &key, publisher: publisher + place, step: u64::MAX };
                self.truth.issue(&sender, Keep::Persist, |it| crate::clients::payload(it, 0))
            });
            let numbers = numbers.collect();
            let told = Told { numbers, key: Some(key), answer: None };
            self.operator.keys.insert((tenant, number), told);
        }
        let told = &self.operator.keys[&(tenant, number)];
        let channel = told.key.as_ref().unwrap().1.as_str();
        let message = |it: &usize| OperatorMessage {
            channel: channel.into(),
            event: format!("e{it}").into(),
            data: self.truth.issued[*it].data.clone().into(),
        };
        let messages: Vec<_> = told.numbers.iter().map(message).collect();
        let root = (u64::from(tenant.0) << 32 | number) << 8;
        let items = (1..).take(messages.len()).map(|it| ClaimKey(root + it)).collect();
        let claim = Some((ClaimKey(root), RequestHash(root ^ 0xff)));
        self.seen.note_if(known, "idempotency key used again");
        let what = Operate::Publish(messages, items);
        self.ask(shard, (tenant, claim), what, Asked::Publish(tenant, number));
    }

    pub fn ask(
        &mut self,
        shard: usize,
        (tenant, claim): (TenantId, Option<(ClaimKey, RequestHash)>),
        what: Operate,
        asked: Asked,
    ) {
        let number = self.operator.next;
        self.operator.next += 1;
        self.operator.waiting.insert(number, (shard, asked));
        let operation = Operation { number, tenant, claim, what };
        self.feed(shard, Input::Operation(Box::new(operation)));
    }

    /// The node answers an operation.
    pub fn operated(&mut self, number: u64, result: Result<Vec<u8>, Rejection>) {
        let (_, asked) = self.operator.waiting.remove(&number).expect("an answer to nothing");
        if let Asked::Mint(minute) = asked {
            return self.check_mint(minute, &result);
        }
        let body = match (result, &asked) {
            (Ok(body), _) => body,
            (Err(why @ Rejection::QuotaExceeded { .. }), Asked::Spend(count)) => {
                self.seen.note("quota reached");
                let most = self.operator.granted + self.operator.in_doubt + self.spending();
                assert!(most + count > QUOTA_MAX, "refused too early: {why} after {most}");
                return;
            }
            (Err(_), Asked::Spend(count)) => return self.operator.in_doubt += count,
            (Err(Rejection::StorageUnavailable), Asked::Rules(item, _)) => {
                // The rule holds; its webhooks are not known to be set.
                self.operator.rules.remove(item);
                return self.seen.note("webhooks not set");
            }
            (Err(_), _) => return self.seen.note("operation refused"),
        };
        let body = String::from_utf8(body).unwrap();
        match asked {
            Asked::Revoke(tenant, token) => {
                self.seen.note("token revoked");
                self.operator.revoked.insert((tenant, token));
                self.check_revoked(tenant, token);
            }
            Asked::Disconnect(tenant, member, theirs) => {
                self.seen.note("member disconnected");
                self.check_disconnected(tenant, &member, &theirs);
            }
            Asked::PutOut => self.seen.note("member disconnected"),
            Asked::Create(tenant, name) => {
                self.seen.note("channel registered");
                let known = self.operator.ids.entry((tenant, name)).or_insert_with(|| body.clone());
                assert_eq!(*known, body, "a registered channel changed its id");
            }
            Asked::Spend(count) => {
                self.operator.granted += count;
                assert!(self.operator.granted <= QUOTA_MAX, "more than the plan holds");
            }
            Asked::Mint(_) | Asked::Policies => {}
            Asked::Rules(item, state) => self.on_ruled(item, state, &body),
            Asked::Publish(tenant, number) => {
                let told = self.operator.keys.get_mut(&(tenant, number)).unwrap();
                let before = told.answer.get_or_insert_with(|| body.clone());
                assert_eq!(*before, body, "one key, two results");
                self.seen.note("published with a key");
                let key = told.key.clone().unwrap();
                let numbers = told.numbers.clone();
                for it in numbers {
                    let log = self.truth.durable.get(&key).map_or(&[][..], Vec::as_slice);
                    assert!(log.contains(&it), "e{it} is acknowledged and not durable");
                }
            }
        }
    }

    /// What is asked for and not answered.
    fn spending(&self) -> u64 {
        let asked = self.operator.waiting.values();
        asked.map(|(_, it)| if let Asked::Spend(count) = it { *count } else { 0 }).sum()
    }

    /// No shard opens a socket for a token whose revocation was answered.
    fn check_revoked(&mut self, tenant: TenantId, token: u128) {
        for shard in &self.shards {
            assert!(shard.refuses(tenant, TokenId(token)), "revoked, and a shard does not know");
        }
    }

    /// Who was there when somebody asked is not there when they are answered.
    fn check_disconnected(
        &mut self,
        tenant: TenantId,
        member: &str,
        theirs: &[(usize, engine::ids::ConnId)],
    ) {
        for (place, conn) in theirs {
            let shard = &mut self.shards[*place];
            assert!(!shard.is_socket(*conn), "{member} of {tenant:?} is still on {conn:?}");
        }
    }

    /// The node crashed: nobody answers what was asked before. What it had promised stays promised.
    pub fn forget_operations(&mut self) {
        self.operator.in_doubt += self.spending();
        let minting = self.operator.waiting.values().filter(|it| matches!(it.1, Asked::Mint(_)));
        self.operator.mints_in_doubt += minting.count() as u64;
        for item in self.changing() {
            self.operator.rules.remove(&item);
        }
        self.operator.waiting.clear();
        self.check_rules();
        for (tenant, token) in self.operator.revoked.clone() {
            self.check_revoked(tenant, token);
        }
    }

    /// Whether every operation was answered.
    pub fn check_operated(&self) {
        assert!(self.operator.waiting.is_empty(), "unanswered: {:?}", self.operator.waiting);
        self.check_rules_agree();
        for shard in &self.shards {
            assert_eq!(shard.running_calls(), 0, "a call that never ends");
        }
    }
}
