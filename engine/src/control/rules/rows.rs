//! Rules as the catalog has them.
//!
//! ```text
//! patterns   tenant:u32 id:u128 (big-endian) -> created:u64 updated:u64 enabled:u8 pattern:part description:part? urls:(part*)?
//! retention  tenant:u32 -> days:u32
//! policies   tenant:u32 -> (name:part action:part roles:part pattern:part? using:part)*
//! provisioning: see `control/provisioning.rs`
//! part = bytes:u32 …     x? = 0:u8 | 1:u8 x     roles = their names with commas in between
//! ```

use std::sync::Arc;

use protocol::auth::insforge::Role;
use protocol::dialect::insforge::Pattern;
use protocol::policy::{Action, Policies, PolicyRule};

use super::super::catalog::{CatalogChange, Entry, key};
use super::super::provisioning::{PROVISIONING, Provisioning};
use super::change::{RegisteredPattern, RuleChange};
use crate::ids::{MessageId, TenantId};

/// The table of patterns.
pub const PATTERNS: &str = "patterns";
/// The table of how long messages are kept.
pub const RETENTION: &str = "retention";
/// The table of policies.
pub const POLICIES: &str = "policies";

/// The change of the catalog that keeps a change of rules.
pub(in crate::control) fn kept(tenant: TenantId, change: &RuleChange) -> CatalogChange {
    let of_pattern =
        |id: MessageId| Entry { table: PATTERNS, key: key(tenant, &id.0.to_be_bytes()) };
    let of_tenant = |table| Entry { table, key: key(tenant, &[]) };
    match change {
        RuleChange::Pattern(it) => CatalogChange::Put(of_pattern(it.id), pattern_row(it)),
        RuleChange::Deleted(id) => CatalogChange::Delete(of_pattern(*id)),
        RuleChange::Retention(None) => CatalogChange::Delete(of_tenant(RETENTION)),
        RuleChange::Retention(Some(days)) => {
            CatalogChange::Put(of_tenant(RETENTION), days.to_le_bytes().to_vec())
        }
        RuleChange::Policies(None) => CatalogChange::Delete(of_tenant(POLICIES)),
        RuleChange::Policies(Some(it)) => CatalogChange::Put(of_tenant(POLICIES), policies_row(it)),
        RuleChange::Provisioning(it) => it.change(tenant),
    }
}

/// What a row of one of the four tables says, behind its tenant.
#[must_use]
pub fn read_rule(table: &str, rest: &[u8], value: &[u8]) -> Option<RuleChange> {
    match table {
        PATTERNS => {
            let id = MessageId(u128::from_be_bytes(rest.try_into().ok()?));
            Some(RuleChange::Pattern(Arc::new(read_pattern(id, Row(value))?)))
        }
        RETENTION => Some(RuleChange::Retention(Some(u32::from_le_bytes(value.try_into().ok()?)))),
        POLICIES => Some(RuleChange::Policies(Some(Arc::new(read_policies(Row(value)))))),
        PROVISIONING => Provisioning::read(value).map(RuleChange::Provisioning),
        _ => None,
    }
}

fn pattern_row(pattern: &RegisteredPattern) -> Vec<u8> {
    let mut row = pattern.created_at_ms.to_le_bytes().to_vec();
    row.extend_from_slice(&pattern.updated_at_ms.to_le_bytes());
    row.push(pattern.enabled.into());
    push(&mut row, pattern.pattern.as_str());
    push_optional(&mut row, pattern.description.as_deref());
    row.push(pattern.webhook_urls.is_some().into());
    for url in pattern.webhook_urls.iter().flatten() {
        push(&mut row, url);
    }
    row
}

fn read_pattern(id: MessageId, mut row: Row<'_>) -> Option<RegisteredPattern> {
    let (created_at_ms, updated_at_ms) = (row.number()?, row.number()?);
    let enabled = row.flag()?;
    let pattern = Pattern::parse(row.text()?).ok()?;
    let description = row.optional()?.map(Into::into);
    let has_urls = row.flag()?;
    let mut urls = Vec::new();
    while has_urls && !row.0.is_empty() {
        urls.push(row.text()?.into());
    }
    let webhook_urls = has_urls.then(|| urls.into());
    Some(RegisteredPattern {
        id,
        pattern,
        description,
        webhook_urls,
        enabled,
        created_at_ms,
        updated_at_ms,
    })
}

fn policies_row(policies: &Policies) -> Vec<u8> {
    let mut row = Vec::new();
    for rule in policies.rules() {
        let roles: Vec<_> = rule.roles.iter().map(|it| it.name()).collect();
        push(&mut row, &rule.name);
        push(&mut row, rule.action.name());
        push(&mut row, &roles.join(","));
        push_optional(&mut row, rule.pattern.as_ref().map(Pattern::as_str));
        push(&mut row, &rule.using);
    }
    row
}

/// What cannot be read grants nothing: a rule that was kept must not open what it closed.
fn read_policies(mut row: Row<'_>) -> Policies {
    let mut rules = Vec::new();
    while !row.0.is_empty() {
        let Some(rule) = read_policy(&mut row) else { return closed() };
        rules.push(rule);
    }
    loop {
        let fault = match Policies::compile(rules.clone()) {
            Ok(policies) => return policies,
            Err(fault) => fault,
        };
        tracing::error!(%fault, "a policy that was kept is no longer understood; it grants nothing");
        match rules.get_mut(fault.index) {
            Some(rule) if *rule.using != *NOTHING => rule.using = NOTHING.into(),
            Some(_) | None => return closed(),
        }
    }
}

/// The expression that grants nothing.
const NOTHING: &str = "false";

fn closed() -> Policies {
    let rule = |action| PolicyRule {
        name: "unreadable".into(),
        action,
        roles: Box::default(),
        pattern: None,
        using: NOTHING.into(),
    };
    Policies::compile(Action::ALL.map(rule).into()).unwrap_or_default()
}

fn read_policy(row: &mut Row<'_>) -> Option<PolicyRule> {
    let name = row.text()?.into();
    let action = row.text()?;
    let action = Action::ALL.into_iter().find(|it| it.name() == action)?;
    let roles = row.text()?.split(',').filter(|it| !it.is_empty()).map(Role::parse);
    let roles = roles.collect::<Option<_>>()?;
    let pattern = match row.optional()? {
        Some(text) => Some(Pattern::parse(text).ok()?),
        None => None,
    };
    Some(PolicyRule { name, action, roles, pattern, using: row.text()?.into() })
}

fn push(row: &mut Vec<u8>, text: &str) {
    let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
    row.extend_from_slice(&bytes.to_le_bytes());
    row.extend_from_slice(text.as_bytes());
}

fn push_optional(row: &mut Vec<u8>, text: Option<&str>) {
    row.push(text.is_some().into());
    if let Some(text) = text {
        push(row, text);
    }
}

/// What is left of a row.
struct Row<'a>(&'a [u8]);

impl<'a> Row<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.take()? {
            [0] => Some(false),
            [1] => Some(true),
            [_] => None,
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let bytes = usize::try_from(u32::from_le_bytes(self.take()?)).ok()?;
        let (text, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn optional(&mut self) -> Option<Option<&'a str>> {
        if self.flag()? { self.text().map(Some) } else { Some(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::catalog::tenant_of;
    use super::*;

    fn check(change: &RuleChange) {
        let CatalogChange::Put(entry, value) = kept(TenantId(3), change) else { unreachable!() };
        let (tenant, rest) = tenant_of(&entry.key).unwrap();
        assert_eq!(tenant, TenantId(3));
        assert_eq!(read_rule(entry.table, rest, &value).as_ref(), Some(change));
        if entry.table != POLICIES {
            let short = value.get(..value.len() - 1).unwrap();
            assert_eq!(read_rule(entry.table, rest, short), None);
        }
    }

    fn pattern(urls: Option<&[&str]>) -> RegisteredPattern {
        RegisteredPattern {
            id: MessageId(7 << 100),
            pattern: Pattern::parse("chat:%:*").unwrap(),
            description: Some("ä".into()),
            webhook_urls: urls.map(|it| it.iter().map(|it| Box::from(*it)).collect()),
            enabled: true,
            created_at_ms: 5,
            updated_at_ms: u64::MAX,
        }
    }

    fn policies(using: &str) -> Vec<PolicyRule> {
        vec![PolicyRule {
            name: "own".into(),
            action: Action::Publish,
            roles: [Role::Authenticated, Role::Anon].into(),
            pattern: Some(Pattern::parse("user:%").unwrap()),
            using: using.into(),
        }]
    }

    #[test]
    fn rows_read_as_they_were_written() {
        check(&RuleChange::Pattern(Arc::new(pattern(Some(&["https://a.example/", "b"])))));
        let bare = RegisteredPattern { description: None, enabled: false, ..pattern(None) };
        check(&RuleChange::Pattern(Arc::new(bare)));
        check(&RuleChange::Retention(Some(30)));
        let policies = Policies::compile(policies("sub == channel")).unwrap();
        check(&RuleChange::Policies(Some(Arc::new(policies))));
        let none = read_rule(PATTERNS, &MessageId(1).0.to_be_bytes(), &[]);
        assert_eq!(none, None);
    }

    #[test]
    fn a_list_of_no_urls_is_not_no_list() {
        check(&RuleChange::Pattern(Arc::new(pattern(Some(&[])))));
    }

    #[test]
    fn what_is_not_understood_of_policies_grants_nothing() {
        let row = policies_row(&Policies::compile(policies("true")).unwrap());
        let unknown = row.iter().map(|it| if *it == b't' { b'(' } else { *it }).collect::<Vec<_>>();
        for damaged in [row.get(1..).unwrap(), row.get(..row.len() - 1).unwrap(), &unknown] {
            let read = read_policies(Row(damaged));
            assert!(read.rules().count() > 0);
            assert!(read.rules().all(|it| *it.using == *NOTHING), "{read:?}");
        }
        let mut rules = policies("true");
        let broken = "role ==";
        rules.push(PolicyRule { name: "broken".into(), using: broken.into(), ..rules[0].clone() });
        let mut row = Vec::new();
        for rule in &rules {
            push(&mut row, &rule.name);
            push(&mut row, "publish");
            push(&mut row, "");
            push_optional(&mut row, None);
            push(&mut row, &rule.using);
        }
        let read = read_policies(Row(&row));
        let using: Vec<_> = read.rules().map(|it| (&*it.name, &*it.using)).collect();
        assert_eq!(using, [("broken", "false"), ("own", "true")]);
    }
}
