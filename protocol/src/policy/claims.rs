//! Who asks, as expressions see it.

use rhai::{Array, Dynamic, ImmutableString, Map};

use super::language::Absent;
use crate::auth::insforge::{Identity, Role};
use crate::json::{Kind, read_members, unescape};
use crate::limits::Limits;

/// Members of one object or list in the claims.
const MEMBERS_MAX: usize = 256;

/// Who asks. It is made once, when somebody comes in.
#[derive(Clone, Debug)]
pub struct Asker {
    pub(super) role: Role,
    pub(super) sub: Dynamic,
    pub(super) email: Dynamic,
    /// `None` when they cannot be read: an expression that names them fails then. Were they empty, `!("banned" in claims)`
    /// would be true.
    pub(super) claims: Option<Dynamic>,
}

impl Asker {
    /// What expressions see of somebody. Those without an account have neither `sub` nor `claims`.
    #[must_use]
    pub fn of(identity: &Identity, limits: &Limits) -> Self {
        let absent = || Dynamic::from(Absent);
        let role = identity.role();
        match identity {
            Identity::Server | Identity::Anonymous => {
                let claims = Some(Dynamic::from_map(Map::new()));
                Self { role, sub: absent(), email: absent(), claims }
            }
            Identity::User(user) => Self {
                role,
                sub: text(&user.id),
                email: user.email.as_deref().map_or_else(absent, text),
                claims: object(user.claims.as_bytes(), limits.json_depth_max),
            },
        }
    }

    /// What they may be.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }
}

pub(super) fn text(text: &str) -> Dynamic {
    Dynamic::from(ImmutableString::from(text))
}

/// The value of a JSON object or list; `None` when it is none, or has too many members.
fn object(bytes: &[u8], depth_max: usize) -> Option<Dynamic> {
    let members = read_members(bytes, MEMBERS_MAX, depth_max).ok()?;
    if members.len() > MEMBERS_MAX {
        return None;
    }
    let is_list = bytes.trim_ascii_start().first() == Some(&b'[');
    let (mut map, mut list) = (Map::new(), Array::new());
    for member in members {
        let raw = bytes.get(member.value.span)?;
        let value = value(member.value.kind, raw, depth_max)?;
        if let Some(name) = member.name {
            map.insert(string(bytes.get(name)?)?.as_str().into(), value);
        } else {
            list.push(value);
        }
    }
    Some(if is_list { Dynamic::from_array(list) } else { Dynamic::from_map(map) })
}

fn value(kind: Kind, raw: &[u8], depth_max: usize) -> Option<Dynamic> {
    Some(match kind {
        Kind::String => text(&string(raw)?),
        Kind::Number => number(raw)?,
        Kind::True => Dynamic::TRUE,
        Kind::False => Dynamic::FALSE,
        Kind::Null => Dynamic::from(Absent),
        Kind::Array | Kind::Object => object(raw, depth_max.checked_sub(1)?)?,
    })
}

fn number(raw: &[u8]) -> Option<Dynamic> {
    let text = std::str::from_utf8(raw).ok()?;
    match text.parse::<i64>() {
        Ok(number) => Some(Dynamic::from_int(number)),
        Err(_) => text.parse().ok().map(Dynamic::from_float),
    }
}

fn string(quoted: &[u8]) -> Option<String> {
    unescape(&mut quoted.to_vec()).map(str::to_owned)
}
