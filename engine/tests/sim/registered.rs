//! What tenants have to speak InsForge: keys, hosts, a pattern for each channel, and policies of one of them. They stay as they are.

use std::sync::Arc;

use engine::control::{Operate, PatternDraft, RulesOp};
use engine::ids::{MessageId, TenantId};
use engine::tenants::{InsforgeSpec, PolicyMode};
use protocol::auth::insforge::{Jwks, Role, UserKeys};
use protocol::dialect::insforge::Pattern;
use protocol::policy::{Action, Policies, PolicyRule};

use crate::insforge::Who;
use crate::keys::{anon_key, api_key, host, jwt_secret};
use crate::operator::Asked;
use crate::rules::{Item, State};
use crate::world::{TENANTS, World};

/// The description of patterns that nobody changes.
pub const FIXED: &str = "fixed";

/// Only whose users and servers may publish.
const CLOSED: TenantId = TenantId(1);

/// What a tenant has to speak InsForge.
pub fn insforge(tenant: TenantId) -> InsforgeSpec {
    InsforgeSpec {
        api_key: Some(api_key(tenant)),
        anon_key: Some(anon_key(tenant)),
        users: UserKeys::new(&jwt_secret(tenant), Jwks::default()).unwrap(),
        hosts: vec![host(tenant)],
        policy_mode: PolicyMode::Enforced,
    }
}

/// Whether a policy lets somebody publish.
pub fn may_publish(tenant: TenantId, who: &Who) -> bool {
    match who {
        Who::Server | Who::User(_) => true,
        Who::Anonymous | Who::Nobody => tenant != CLOSED,
    }
}

impl World {
    /// Registers the names of all channels, before anyone comes.
    pub fn fix_rules(&mut self) {
        for key in self.keys() {
            let id = MessageId(u128::from(self.operator.next) << 64 | 0xf);
            let draft = PatternDraft {
                id,
                pattern: Pattern::parse(&key.1).unwrap(),
                description: Some(FIXED.into()),
                webhook_urls: None,
                enabled: true,
            };
            let asked = Asked::Rules(Item::Pattern(key.0, id), State::Pattern(FIXED.to_owned()));
            let op = Operate::Rules(RulesOp::Create(Box::new(draft)));
            self.ask(0, (key.0, None), op, asked);
        }
        let rule = PolicyRule {
            name: "known people publish".into(),
            action: Action::Publish,
            roles: Box::new([Role::Authenticated, Role::ProjectAdmin]),
            pattern: None,
            using: "true".into(),
        };
        let policies = Arc::new(Policies::compile(vec![rule]).unwrap());
        self.ask(0, (CLOSED, None), Operate::Rules(RulesOp::Permit(policies)), Asked::Policies);
        self.settle();
        self.check_operated();
        let patterns = self.plan.channels * TENANTS as usize;
        assert_eq!(self.operator.rules.len(), patterns, "all patterns are registered");
    }
}
