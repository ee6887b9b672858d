//! Who asks, as expressions see it.

use rhai::{Array, Dynamic, ImmutableString, Map, Scope};

use super::decide::Question;
use super::language::Absent;
use crate::auth::insforge::{Identity, Role};
use crate::json::{Kind, read_members, unescape};
use crate::limits::Limits;

/// Members of one object or list in the claims.
const MEMBERS_MAX: usize = 256;

/// Who asks. It is made once, when somebody comes in, and keeps what expressions see of them.
#[derive(Clone, Debug)]
pub struct Asker {
    role: Role,
    scope: Scope<'static>,
}

impl Asker {
    /// What expressions see of somebody. Those without an account have neither `sub` nor `claims`.
    #[must_use]
    pub fn of(identity: &Identity, limits: &Limits) -> Self {
        let role = identity.role();
        let (sub, email, claims) = match identity {
            Identity::Server | Identity::Anonymous => {
                (absent(), absent(), Some(Dynamic::from_map(Map::new())))
            }
            Identity::User(user) => (
                text(&user.id),
                user.email.as_deref().map_or_else(absent, text),
                object(user.claims.as_bytes(), limits.json_depth_max),
            ),
        };
        let mut scope = Scope::new();
        scope.push_dynamic("role", text(role.name()));
        scope.push_dynamic("sub", sub);
        scope.push_dynamic("email", email);
        // Claims that cannot be read are left out, and an expression that names them fails. Were they empty,
        // `!("banned" in claims)` would be true.
        if let Some(claims) = claims {
            scope.push_dynamic("claims", claims);
        }
        Self { role, scope }
    }

    /// What they may be.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Puts a question: expressions see it from now on.
    pub(super) fn put(&mut self, question: &Question<'_>) {
        let event = question.event.map_or_else(absent, text);
        self.scope.set_value("channel", text(question.channel)).set_value("event", event);
    }

    /// What expressions see. None of them changes it.
    pub(super) fn scope(&mut self) -> &mut Scope<'static> {
        &mut self.scope
    }
}

fn absent() -> Dynamic {
    Dynamic::from(Absent)
}

fn text(text: &str) -> Dynamic {
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
        Kind::Null => absent(),
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
