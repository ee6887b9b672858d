//! What administrators ask of the rules of their tenant. Every shard has them, so it shows them; to change them is the seat's
//! affair, and is answered once every shard has heard of it.

use std::sync::Arc;

use protocol::Rejection;
use protocol::dialect::insforge;
use protocol::dialect::insforge::rest::{self, ChannelRow, RestError};
use protocol::http::{Head, KeepAlive, Version};

use super::super::Shard;
use super::super::answers::{Reply, Shape};
use super::super::calls::Body;
use super::super::cohesivity::enforced;
use super::super::effects::{Effects, Ending};
use super::super::steps::{self, seat_answer};
use super::{Call, Work, refused};
use crate::control::{
    Came, Enforce, PatternDraft, PatternEdit, RegisteredPattern, RuleChange, RulesOp, Ruling,
    SeatAnswer, SeatOp, Spend, TenantRules,
};
use crate::ids::{CallId, ConnId, MessageId, TenantId};

/// A call of an administrator, after its head was checked.
pub(in crate::shard) struct RulesCall {
    tenant: TenantId,
    subject: Subject,
}

/// What it is about.
#[derive(Clone, Copy)]
enum Subject {
    Look(Look),
    Create,
    Update(MessageId),
    Delete(MessageId),
    Retain,
    Permit,
}

/// What an administrator wants to see.
#[derive(Clone, Copy, Debug)]
pub(in crate::shard) enum Look {
    /// All patterns.
    Channels(Version),
    /// One of them.
    Channel(MessageId),
    /// How long messages are kept.
    Config,
    /// The policies.
    Permissions,
}

/// What an administrator wants.
#[derive(Debug)]
pub(in crate::shard) enum Wanted {
    /// To see something.
    Look(Look),
    /// To change something. It is answered with this status.
    Change(RulesOp, u16),
}

/// What such a call does next.
#[derive(Debug)]
pub(in crate::shard) enum RulesWork {
    /// The seat counts it; then it is done.
    Paid(Wanted),
    /// The seat decides.
    Decided(u16),
    /// Every shard hears of the change.
    InForce(Arc<Ruling>, u16),
}

impl Shard {
    /// What a request about rules asks for.
    pub(super) fn find_rules(&self, head: &Head<'_>, call: insforge::Call) -> Call {
        let found = self.insforge_admin(head).and_then(|tenant| {
            let subject = subject(head, call)?;
            Ok(Call::Rules(RulesCall { tenant, subject }))
        });
        found.unwrap_or_else(Call::Refuse)
    }

    pub(super) fn perform_rules(
        &mut self,
        conn: ConnId,
        RulesCall { tenant, subject }: RulesCall,
        body: &mut Body<'_>,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let wanted = match subject {
            Subject::Look(look) => Ok(Wanted::Look(look)),
            Subject::Create
            | Subject::Update(_)
            | Subject::Delete(_)
            | Subject::Retain
            | Subject::Permit => self.decode_change(subject, body.bytes),
        };
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(why) => {
                self.refuse_rest(conn, body.shape, &why, effects);
                return Ok(());
            }
        };
        let call = self.begin(conn, tenant, shape(&wanted, body.shape))?;
        if self.tenants.plan(tenant).is_metered() {
            let then = then(RulesWork::Paid(wanted));
            self.ask_seat(call, SeatOp::Spend(Spend::request()), then, effects);
        } else {
            self.do_rules(call, wanted, effects);
        }
        Ok(())
    }

    /// Does what is paid for.
    fn do_rules(&mut self, call: CallId, wanted: Wanted, effects: &mut Effects) {
        match wanted {
            Wanted::Look(look) => self.show_rules(call, look, &mut effects.closes),
            Wanted::Change(op, status) => {
                let decided = then(RulesWork::Decided(status));
                self.ask_seat(call, SeatOp::Rules(op), decided, effects);
            }
        }
    }

    fn decode_change(&mut self, subject: Subject, bytes: &mut [u8]) -> Result<Wanted, RestError> {
        const CREATED: u16 = 201;
        let limits = &self.limits.wire;
        let op = match subject {
            Subject::Look(look) => return Ok(Wanted::Look(look)),
            Subject::Create => {
                let asked = rest::decode_channel_create(bytes, limits)?;
                let draft = PatternDraft {
                    id: self.ids.next(self.now.wall_ms),
                    pattern: asked.pattern,
                    description: asked.description.map(Into::into),
                    webhook_urls: asked.webhook_urls.map(boxed),
                    enabled: asked.enabled,
                };
                return Ok(Wanted::Change(RulesOp::Create(Box::new(draft)), CREATED));
            }
            Subject::Update(id) => {
                let asked = rest::decode_channel_update(bytes, limits)?;
                let edit = PatternEdit {
                    pattern: asked.pattern,
                    description: asked.description.map(Into::into),
                    webhook_urls: asked.webhook_urls.map(boxed),
                    enabled: asked.enabled,
                };
                RulesOp::Update(id, Box::new(edit))
            }
            Subject::Delete(id) => RulesOp::Delete(id),
            Subject::Retain => RulesOp::Retain(rest::decode_retention_update(bytes, limits)?.days),
            Subject::Permit => RulesOp::Permit(Arc::new(rest::decode_permissions(bytes, limits)?)),
        };
        Ok(Wanted::Change(op, 200))
    }

    /// Does the next step of such a call.
    pub(super) fn go_on_rules(
        &mut self,
        call: CallId,
        work: RulesWork,
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        let result = match work {
            RulesWork::Paid(wanted) => match seat_answer(came) {
                Ok(_) => return self.do_rules(call, wanted, effects),
                Err(why) => Err(why),
            },
            RulesWork::Decided(status) => match seat_answer(came) {
                Ok(SeatAnswer::Ruling(ruling)) => {
                    let order = Enforce::Rules(Arc::clone(&ruling));
                    let in_force = then(RulesWork::InForce(ruling, status));
                    return self.enforce(call, &order, in_force, effects);
                }
                Ok(SeatAnswer::PatternTaken) => {
                    self.counters.rejected += 1;
                    Ok(refused(&RestError::Duplicate))
                }
                Ok(_) => Err(Rejection::Internal),
                Err(why) => Err(why),
            },
            RulesWork::InForce(ruling, status) => {
                enforced(came).map(|_| Reply { status, ..self.changed(&ruling) })
            }
        };
        self.finish(call, result, effects);
    }

    /// Shows what this shard knows.
    fn show_rules(&mut self, call: CallId, look: Look, closes: &mut Vec<(ConnId, Ending)>) {
        let Some(tenant) = self.tenant_of(call) else { return };
        let Some(to) = self.hand_over(call) else { return };
        let rules = self.rules.of(tenant);
        let reply = match look {
            Look::Channels(version) => {
                return self.list_channels((call, to), tenant, version, closes);
            }
            Look::Channel(id) => match rules.and_then(|it| it.get(id)) {
                Some(found) => Reply::data(|out| rest::body_channel(out, &row(found))),
                None => {
                    self.counters.rejected += 1;
                    refused(&RestError::ChannelNotFound)
                }
            },
            Look::Config => {
                let days = rules.and_then(TenantRules::retention_days);
                Reply::data(|out| rest::body_config(out, days))
            }
            Look::Permissions => {
                let policies = self.rules.policies(tenant);
                Reply::data(|out| rest::body_permissions(out, policies))
            }
        };
        self.answer_reply(to, &reply, closes);
    }

    /// What is said of a change that is in force.
    fn changed(&self, ruling: &Ruling) -> Reply {
        Reply::data(|out| match &ruling.change {
            RuleChange::Pattern(pattern) => rest::body_channel(out, &row(pattern)),
            RuleChange::Deleted(_) => rest::body_channel_deleted(out),
            RuleChange::Retention(_) => rest::body_config_updated(out),
            // No call of InsForge asks for it.
            RuleChange::Provisioning(_) => {}
            RuleChange::Policies(Some(policies)) => rest::body_permissions(out, policies),
            RuleChange::Policies(None) => rest::body_permissions(out, self.rules.open()),
        })
    }
}

fn then(work: RulesWork) -> steps::Work {
    steps::Work::Insforge(Work::Rules(Box::new(work)))
}

fn subject(head: &Head<'_>, call: insforge::Call) -> Result<Subject, RestError> {
    let id = || rest::decode_channel_id(head).map(MessageId);
    Ok(match call {
        insforge::Call::ChannelList => Subject::Look(Look::Channels(head.version())),
        insforge::Call::ChannelCreate => Subject::Create,
        insforge::Call::ChannelGet => Subject::Look(Look::Channel(id()?)),
        insforge::Call::ChannelUpdate => Subject::Update(id()?),
        insforge::Call::ChannelDelete => Subject::Delete(id()?),
        insforge::Call::ConfigGet => Subject::Look(Look::Config),
        insforge::Call::ConfigUpdate => Subject::Retain,
        insforge::Call::PermissionsGet => Subject::Look(Look::Permissions),
        insforge::Call::PermissionsReplace => Subject::Permit,
        insforge::Call::Engine
        | insforge::Call::PlainSocket
        | insforge::Call::MessageList
        | insforge::Call::MessageDelete
        | insforge::Call::MessageStats
        | insforge::Call::AnonKey
        | insforge::Call::AnonToken
        | insforge::Call::KeySet => return Err(RestError::Other(Rejection::NotFound)),
    })
}

/// HTTP/1.0 knows no chunks: a list of unknown length ends with the connection.
fn shape(wanted: &Wanted, shape: Shape) -> Shape {
    let is_old = matches!(wanted, Wanted::Look(Look::Channels(Version::Http10)));
    Shape { then: if is_old { KeepAlive::Close } else { shape.then }, ..shape }
}

/// A pattern as administrators see it.
pub(super) fn row(pattern: &RegisteredPattern) -> ChannelRow<'_> {
    ChannelRow {
        id: pattern.id.0,
        pattern: pattern.pattern.as_str(),
        description: pattern.description.as_deref(),
        webhook_urls: pattern.webhook_urls.as_deref(),
        enabled: pattern.enabled,
        created_at_ms: pattern.created_at_ms,
        updated_at_ms: pattern.updated_at_ms,
    }
}

fn boxed(urls: Vec<String>) -> Box<[Box<str>]> {
    urls.into_iter().map(String::into_boxed_str).collect()
}
