//! Which of 10,000 patterns a channel's name matches, and what the policies of a tenant say.

use std::hint::black_box;

use engine::control::{Patterns, Registration};
use engine::hasher::seeded;
use engine::ids::MessageId;
use protocol::Limits;
use protocol::auth::insforge::{Identity, Role, User};
use protocol::dialect::insforge::Pattern;
use protocol::policy::{Action, Asker, Policies, PolicyRule, Question, Verdict};

use super::{Meter, What};
use crate::Failure;

/// Patterns of a tenant: as many as the default of `limits.patterns_max` allows.
const PATTERNS: usize = 10_000;
/// What the patterns have in common, and a name that the last of them matches.
const SHAPES: [(&str, &str, &str); 3] = [
    ("of as many beginnings", "room-#:%", "room-9999:42"),
    ("of one beginning", "room:%:#", "room:42:9999"),
    ("without wildcards", "room:#", "room:9999"),
];

/// Measures the room.
pub(super) fn measure(meter: &mut Meter<'_>) -> Result<(), Failure> {
    for (what, shape, name) in SHAPES {
        let mut patterns = Patterns::new(seeded(7));
        for index in 0..PATTERNS {
            let pattern = Pattern::parse(&shape.replace('#', &index.to_string()));
            let pattern = pattern.map_err(|it| it.to_string())?;
            let (id, created_at_ms) = (MessageId(index as u128), index as u64);
            if !patterns.add(Registration { pattern, id, created_at_ms }) {
                return Err("two patterns have one text".into());
            }
        }
        let what = format!("10,000 {what}, one name");
        meter.measure(&What::once("patterns", &what), || {
            let found = black_box(&patterns).find(black_box(name));
            if found.is_some() { Ok(()) } else { Err("no pattern was found".into()) }
        })?;
    }
    policies(meter)
}

fn policies(meter: &mut Meter<'_>) -> Result<(), Failure> {
    let rule = PolicyRule {
        name: "own".into(),
        action: Action::Publish,
        roles: [Role::Authenticated].into(),
        pattern: None,
        using: "split(channel, ':', 1) == sub && claims.team == \"red\"".into(),
    };
    let policies = Policies::compile(vec![rule]).map_err(|it| it.to_string())?;
    let user = User {
        id: "7d7b0e2e-5c1b-4d5a-9b1d-0a2f4c6e8a10".into(),
        email: None,
        role: Role::Authenticated,
        claims: r#"{"team":"red"}"#.into(),
    };
    let mut asker = Asker::of(&Identity::User(user), &Limits::default());
    let channel = "user:7d7b0e2e-5c1b-4d5a-9b1d-0a2f4c6e8a10";
    let question = Question { action: Action::Publish, channel, event: Some("upd") };
    meter.measure(&What::once("policies", "one with a claim and a segment"), || {
        match policies.decide(black_box(&mut asker), black_box(&question)) {
            Verdict::Allow => Ok(()),
            Verdict::Deny => Err("the policy denied".into()),
        }
    })
}
