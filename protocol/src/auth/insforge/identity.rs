//! Credentials as they come, and who they turn out to be.

use std::fmt;

use crate::http::Head;

/// What a client without an account is called.
pub const ANONYMOUS_ID: &str = "anonymous";
/// What a server with the API key is called.
pub const API_KEY_ID: &str = "api-key";

const API_KEY_PREFIX: &str = "ik_";
const ANON_KEY_PREFIX: &str = "anon_";

/// What somebody offers. Its form says what it is; one that is wrong is never tried as another.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Credential<'a> {
    /// Nothing.
    None,
    /// A key of servers.
    ApiKey(&'a str),
    /// A key of browsers.
    AnonKey(&'a str),
    /// The token of a user.
    Token(&'a str),
}

impl<'a> Credential<'a> {
    /// What a text is that came where a token is due.
    #[must_use]
    pub fn of_token(text: &'a str) -> Self {
        if text.is_empty() {
            Self::None
        } else if text.starts_with(API_KEY_PREFIX) {
            Self::ApiKey(text)
        } else if text.starts_with(ANON_KEY_PREFIX) {
            Self::AnonKey(text)
        } else {
            Self::Token(text)
        }
    }
}

/// A credential is shown by its kind alone.
impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::ApiKey(_) => "ApiKey",
            Self::AnonKey(_) => "AnonKey",
            Self::Token(_) => "Token",
        })
    }
}

/// What a request offers: `Authorization: Bearer`, or `X-API-Key`.
#[must_use]
pub fn decode_head_credential<'a>(head: &Head<'a>) -> Credential<'a> {
    let bearer = head.bearer().map_or(Credential::None, Credential::of_token);
    match (bearer, head.header("x-api-key").filter(|it| !it.is_empty())) {
        (Credential::ApiKey(_), _) | (_, None) => bearer,
        (Credential::None | Credential::AnonKey(_) | Credential::Token(_), Some(key)) => {
            Credential::ApiKey(key)
        }
    }
}

/// What a user may be.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// Somebody without an account.
    Anon,
    /// A user.
    Authenticated,
    /// Who runs the project; no policy holds for them.
    ProjectAdmin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Anon, Self::Authenticated, Self::ProjectAdmin];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anon => "anon",
            Self::Authenticated => "authenticated",
            Self::ProjectAdmin => "project_admin",
        }
    }

    /// The role of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// What the token of a user says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    /// Who it is.
    pub id: Box<str>,
    /// Their address, where that was said.
    pub email: Option<Box<str>>,
    /// What they may be.
    pub role: Role,
    /// All claims, as they were written: a JSON object.
    pub claims: Box<str>,
}

/// Who it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Identity {
    /// A server.
    Server,
    /// Somebody without an account.
    Anonymous,
    /// A user.
    User(User),
}

impl Identity {
    /// What they may be.
    #[must_use]
    pub fn role(&self) -> Role {
        match self {
            Self::Server => Role::ProjectAdmin,
            Self::Anonymous => Role::Anon,
            Self::User(user) => user.role,
        }
    }

    /// The same, if they may do what only an administrator may.
    ///
    /// # Errors
    /// When they are no administrator.
    pub fn admin(self) -> Result<Self, BadCredential> {
        match self.role() {
            Role::ProjectAdmin => Ok(self),
            Role::Anon | Role::Authenticated => Err(BadCredential::NotAdmin),
        }
    }

    /// What they are called.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Server => API_KEY_ID,
            Self::Anonymous => ANONYMOUS_ID,
            Self::User(user) => &user.id,
        }
    }

    /// Who a publication of theirs is from, as [`MessageView::sender`](crate::dialect::MessageView) has it.
    #[must_use]
    pub fn sender(&self) -> Option<&str> {
        match self {
            Self::Server => None,
            Self::Anonymous | Self::User(_) => Some(self.id()),
        }
    }
}

/// Why a credential is not accepted. Its display is the text that a client gets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum BadCredential {
    /// There is none.
    Missing,
    /// The API key is wrong.
    ApiKey,
    /// The anon key is wrong.
    AnonKey,
    /// The token is wrong or has ended: deliberately one answer.
    Token,
    /// The token names no user.
    Subject,
    /// It is good, and not an administrator's.
    NotAdmin,
}

impl fmt::Display for BadCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "No authentication provided",
            Self::ApiKey => "Invalid API key",
            Self::AnonKey => "Invalid anon key",
            Self::Token => "Invalid token",
            Self::Subject => "Invalid token subject",
            Self::NotAdmin => "Admin access required",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse_head;
    use crate::limits::Limits;

    fn check(lines: &str, expected: Credential<'_>) {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let head = parse_head(request.as_bytes(), &Limits::default()).unwrap().unwrap();
        assert!(decode_head_credential(&head) == expected, "{lines}");
    }

    #[test]
    fn the_form_of_a_credential_says_what_it_is() {
        check("", Credential::None);
        check("Authorization: Bearer ik_1\r\n", Credential::ApiKey("ik_1"));
        check("Authorization: Bearer anon_1\r\n", Credential::AnonKey("anon_1"));
        check("Authorization: Bearer eyJ.a.b\r\n", Credential::Token("eyJ.a.b"));
        check("Authorization: Basic eyJ\r\n", Credential::None);
        check("X-API-Key: ik_2\r\n", Credential::ApiKey("ik_2"));
        check("X-API-Key: what\r\n", Credential::ApiKey("what"));
        check("X-API-Key: ik_2\r\nAuthorization: Bearer ik_1\r\n", Credential::ApiKey("ik_1"));
        check("X-API-Key: ik_2\r\nAuthorization: Bearer anon_1\r\n", Credential::ApiKey("ik_2"));
        let shown = format!("{:?}", Credential::ApiKey("ik_secret"));
        assert_eq!(shown, "ApiKey", "a secret is not shown");
    }
}
