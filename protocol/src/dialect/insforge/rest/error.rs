//! What goes wrong with a call, and the body that says it: `{error,message,statusCode,nextActions?}`.

use std::borrow::Cow;

use crate::auth::insforge::BadCredential;
use crate::dialect::insforge::error_code::{ErrorCode, error_code};
use crate::dialect::insforge::pattern::PatternError;
use crate::dialect::write::{push_field, push_number_field};
use crate::json::push_string;
use crate::policy::PolicyFault;
use crate::rejection::Rejection;

use super::issues::Issues;

const CHECK_TOKEN: &str = "Check the token is valid or login to get a new token.";
const CHECK_ADMIN_TOKEN: &str =
    "Check the admin token is valid or login as admin to get a new token.";
const CHECK_API_KEY: &str = "Check the API key is valid or generate a new API key.";
const CHECK_UNIQUE_PATTERN: &str = "A record with this field(pattern) already exists. You can query the existing record by using the query tool and then try again.";
const CHECK_JSON: &str = "Please ensure your request body contains valid JSON";

/// Why a call fails.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RestError {
    /// Whoever calls is no administrator.
    Credential(BadCredential),
    /// The body is no JSON.
    Json,
    /// A body says of a channel what cannot be said.
    Request(Issues),
    /// A query, or another body, has values that it may not have.
    Input(Issues),
    /// A channel's pattern is none.
    Pattern(PatternError),
    /// Another channel has this pattern.
    Duplicate,
    /// There is no channel of this id.
    ChannelNotFound,
    /// A policy cannot be used.
    Policy(PolicyFault),
    /// There is no such call.
    NoEndpoint {
        /// Path and query, as they came.
        url: Box<str>,
    },
    /// What any dialect refuses.
    Other(Rejection),
}

impl RestError {
    /// The HTTP status that says it.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Credential(BadCredential::NotAdmin) => 403,
            Self::Credential(
                BadCredential::Missing
                | BadCredential::ApiKey
                | BadCredential::AnonKey
                | BadCredential::Token
                | BadCredential::Subject,
            ) => 401,
            Self::Json | Self::Request(_) | Self::Input(_) | Self::Pattern(_) | Self::Policy(_) => {
                400
            }
            Self::Duplicate => 409,
            Self::ChannelNotFound | Self::NoEndpoint { .. } => 404,
            Self::Other(rejection) => rejection.status(),
        }
    }

    /// Its name on the wire.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Credential(BadCredential::Missing) => ErrorCode::AuthInvalidCredentials,
            Self::Credential(BadCredential::ApiKey) => ErrorCode::AuthInvalidApiKey,
            Self::Credential(
                BadCredential::AnonKey
                | BadCredential::Token
                | BadCredential::Subject
                | BadCredential::NotAdmin,
            ) => ErrorCode::AuthUnauthorized,
            Self::Json | Self::Input(_) | Self::Policy(_) => ErrorCode::InvalidInput,
            Self::Request(_) => ErrorCode::RealtimeInvalidChannelRequest,
            Self::Pattern(_) => ErrorCode::RealtimeInvalidChannelPattern,
            Self::Duplicate => ErrorCode::DatabaseDuplicate,
            Self::ChannelNotFound => ErrorCode::RealtimeChannelNotFound,
            Self::NoEndpoint { .. } => ErrorCode::NotFound,
            Self::Other(rejection) => error_code(rejection),
        }
    }

    /// The text for whoever calls.
    #[must_use]
    pub fn message(&self) -> Cow<'static, str> {
        match self {
            Self::Credential(BadCredential::Missing) => "No admin token provided".into(),
            Self::Credential(BadCredential::AnonKey) => BadCredential::Token.to_string().into(),
            Self::Credential(cause) => cause.to_string().into(),
            Self::Json => "Invalid JSON in request body".into(),
            Self::Request(issues) | Self::Input(issues) => issues.to_string().into(),
            Self::Pattern(cause) => cause.to_string().into(),
            Self::Duplicate => {
                "duplicate key value violates unique constraint \"channels_pattern_key\"".into()
            }
            Self::ChannelNotFound => "Channel not found".into(),
            Self::Policy(fault) => fault.to_string().into(),
            Self::NoEndpoint { url } => format!("Endpoint {url} not found").into(),
            Self::Other(rejection) => rejection.to_string().into(),
        }
    }

    /// What to do about it, where InsForge says so.
    #[must_use]
    pub fn next_actions(&self) -> Option<&'static str> {
        match self {
            Self::Credential(BadCredential::Missing) => Some(CHECK_TOKEN),
            Self::Credential(BadCredential::ApiKey) => Some(CHECK_API_KEY),
            Self::Credential(BadCredential::NotAdmin) => Some(CHECK_ADMIN_TOKEN),
            Self::Json => Some(CHECK_JSON),
            Self::Duplicate => Some(CHECK_UNIQUE_PATTERN),
            Self::Credential(
                BadCredential::AnonKey | BadCredential::Token | BadCredential::Subject,
            )
            | Self::Request(_)
            | Self::Input(_)
            | Self::Pattern(_)
            | Self::ChannelNotFound
            | Self::Policy(_)
            | Self::NoEndpoint { .. }
            | Self::Other(_) => None,
        }
    }
}

/// Appends the body of a call that failed.
pub fn body_error(out: &mut Vec<u8>, error: &RestError) {
    out.extend_from_slice(b"{\"error\":");
    push_string(out, error.code().name());
    push_field(out, "message", &error.message());
    push_number_field(out, "statusCode", u64::from(error.status()));
    if let Some(text) = error.next_actions() {
        push_field(out, "nextActions", text);
    }
    out.push(b'}');
}
