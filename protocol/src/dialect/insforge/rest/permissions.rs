//! Policies in the shape in which InsForge shows those of its database, read and written.

use crate::auth::insforge::Role;
use crate::dialect::fields::{Value, values_at};
use crate::dialect::insforge::pattern::Pattern;
use crate::dialect::write::{push_array, push_field, push_name};
use crate::json::{Kind, Listed, push_string, read_list};
use crate::limits::Limits;
use crate::policy::{Action, POLICIES_MAX, Policies, PolicyFault, PolicyRule};
use crate::rejection::Rejection;

use super::error::RestError;
use super::issues::{Issues, expected, no_text, read_body};

const SECTIONS: [&str; 2] = ["subscribe", "publish"];
const LIST: [&str; 1] = ["policies"];
const POLICY: [&str; 5] = ["policyName", "roles", "pattern", "using", "withCheck"];

/// What stands among roles for every role.
const PUBLIC: &str = "public";

/// Appends policies.
pub fn body_permissions(out: &mut Vec<u8>, policies: &Policies) {
    for (index, action) in Action::ALL.into_iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"" } else { b",\"" });
        out.extend_from_slice(action.name().as_bytes());
        out.extend_from_slice(b"\":{\"policies\":");
        push_array(out, policies.rules().filter(|it| it.action == action), push_policy);
        out.push(b'}');
    }
    out.push(b'}');
}

fn push_policy(out: &mut Vec<u8>, rule: &PolicyRule) {
    let (table, command, is_check) = match rule.action {
        Action::Subscribe => ("channels", "SELECT", false),
        Action::Publish => ("messages", "INSERT", true),
    };
    out.extend_from_slice(b"{\"policyName\":");
    push_string(out, &rule.name);
    push_field(out, "tableName", table);
    push_field(out, "command", command);
    push_name(out, "roles");
    if rule.roles.is_empty() {
        push_array(out, [PUBLIC].into_iter(), push_string);
    } else {
        push_array(out, rule.roles.iter().map(|it| it.name()), push_string);
    }
    for (name, is_it) in [("using", !is_check), ("withCheck", is_check)] {
        push_name(out, name);
        if is_it {
            push_string(out, &rule.using);
        } else {
            out.extend_from_slice(b"null");
        }
    }
    if let Some(pattern) = &rule.pattern {
        push_field(out, "pattern", pattern.as_str());
    }
    out.push(b'}');
}

/// Reads the body of `PUT /api/realtime/permissions`: the policies that replace all there were. What [`body_permissions`]
/// writes is such a body; `using` and `withCheck` are one expression, by either name.
///
/// # Errors
/// When it is none, or a policy cannot be used.
pub fn decode_permissions(body: &mut [u8], limits: &Limits) -> Result<Policies, RestError> {
    let sections = read_body(body, &SECTIONS, limits, RestError::Input)?;
    let mut rules = Vec::new();
    let actions: [Action; 2] = Action::ALL;
    for (section, action) in sections.into_iter().zip(actions) {
        read_section(section, action, limits, &mut rules)?;
    }
    Policies::compile(rules).map_err(RestError::Policy)
}

fn read_section(
    section: Value<'_>,
    action: Action,
    limits: &Limits,
    rules: &mut Vec<PolicyRule>,
) -> Result<(), RestError> {
    let path = format!("{}.{}", section.field, LIST[0]);
    match section.kind {
        None => return Ok(()),
        Some(Kind::Object) => {}
        kind => return Err(issue(section.field, &expected("object", kind))),
    }
    let bytes = section.raw;
    let list = read_list(bytes, &LIST, &POLICY, limits.json_depth_max, POLICIES_MAX)
        .map_err(|_| RestError::Other(Rejection::DuplicateKey { field: "policies" }))?;
    let [found] = values_at(bytes, &LIST, &list.fields).map_err(RestError::Other)?;
    match found.kind {
        None => return Ok(()),
        Some(Kind::Array) => {}
        kind => return Err(issue(&path, &expected("array", kind))),
    }
    if list.total > POLICIES_MAX {
        let message = format!("Array must contain at most {POLICIES_MAX} element(s)");
        return Err(issue(&path, &message));
    }
    let mut rest = found.raw;
    for (index, item) in list.items.iter().enumerate() {
        let split = rest.split_at_mut_checked(item.bytes);
        let (bytes, behind) = split.ok_or(RestError::Other(Rejection::Internal))?;
        rest = behind;
        let place = Place { path: format!("{path}.{index}"), action, index };
        rules.push(read_policy(bytes, item, &place)?);
    }
    Ok(())
}

/// Where a policy stands.
struct Place {
    path: String,
    action: Action,
    index: usize,
}

impl Place {
    fn issue(&self, field: &str, message: &str) -> RestError {
        issue(&format!("{}.{field}", self.path), message)
    }
}

fn issue(path: &str, message: &str) -> RestError {
    RestError::Input(Issues::one(path, message))
}

fn read_policy(
    bytes: &mut [u8],
    item: &Listed<{ POLICY.len() }>,
    place: &Place,
) -> Result<PolicyRule, RestError> {
    let fields = match &item.fields {
        Some(Ok(fields)) => fields,
        Some(Err(_)) => return Err(issue(&place.path, "A key came more than once")),
        None => return Err(issue(&place.path, "Expected object")),
    };
    let fields = values_at(bytes, &POLICY, fields).map_err(RestError::Other)?;
    let [name, roles, pattern, using, with_check] = fields;
    let string = |value: Value<'_>| {
        let (field, message) = (value.field, no_text(value.kind));
        value.text().map(|it| it.map(str::to_owned)).map_err(|_| place.issue(field, &message))
    };
    let roles = read_roles(roles, place)?;
    let name = string(name)?.ok_or_else(|| place.issue("policyName", "Required"))?;
    let pattern = match string(pattern)? {
        Some(text) => Some(Pattern::parse(&text).map_err(|cause| {
            let (action, index) = (place.action, place.index);
            let message = cause.to_string();
            RestError::Policy(PolicyFault { action, index, field: "pattern", message })
        })?),
        None => None,
    };
    let using = match (string(using)?, string(with_check)?) {
        (Some(one), None) | (None, Some(one)) => one,
        (Some(one), Some(other)) if one == other => one,
        (Some(_), Some(_)) => return Err(place.issue("withCheck", "Differs from using")),
        (None, None) => return Err(place.issue("using", "Required")),
    };
    Ok(PolicyRule { name: name.into(), action: place.action, roles, pattern, using: using.into() })
}

fn read_roles(roles: Value<'_>, place: &Place) -> Result<Box<[Role]>, RestError> {
    let message = expected("array", roles.kind);
    let wrong = |_| place.issue("roles", &message);
    let mut read = Vec::new();
    for name in roles.items().map_err(wrong)?.into_iter().flatten() {
        let name = name.ok_or_else(|| place.issue("roles", "Expected strings"))?;
        if name == PUBLIC {
            return Ok(Box::default());
        }
        let role = Role::parse(name).ok_or_else(|| {
            place.issue("roles", "Use anon, authenticated, project_admin or public")
        })?;
        if !read.contains(&role) {
            read.push(role);
        }
    }
    Ok(read.into())
}
