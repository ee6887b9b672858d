//! The types of settings that say where another server is, and as whom to call it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::secret::Secret;
use super::setting::Kind;
use super::text::Secrets;
use super::value::{Value, quoted};

const URL_BYTES_MAX: usize = 2_048;
const ID_BYTES_MAX: usize = 128;
const TOKEN_BYTES_MAX: usize = 4_096;

/// The URL below which a server is called, without a slash at the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Checks a URL: `http` or `https`, a host, perhaps a path; no user, no query, no fragment.
    ///
    /// # Errors
    /// Says what it must be.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let is_url = |rest: &str| {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&byte);
            let has_step = path.split('/').any(|it| matches!(it, "." | ".."));
            !host.is_empty() && rest.bytes().all(is_fine) && !has_step
        };
        if text.len() > URL_BYTES_MAX || !rest.is_some_and(is_url) {
            return Err("must be a URL, as https://api.example.com/v1".to_owned());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for BaseUrl {
    const KIND: Kind = Kind::Text("URL");

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    fn to_toml(&self, _secrets: Secrets) -> String {
        quoted(&self.0)
    }
}

/// What another server calls something of ours: a segment of its paths. It may be empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UpstreamId(String);

impl UpstreamId {
    /// The text; `None` when it is empty.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(&self.0)
    }
}

impl Value for UpstreamId {
    const KIND: Kind = Kind::Text("letters, digits, - and _");

    fn parse(text: &str) -> Result<Self, String> {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if text.len() > ID_BYTES_MAX || !text.bytes().all(is_fine) {
            return Err("must be letters, digits, - and _".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    fn to_toml(&self, _secrets: Secrets) -> String {
        quoted(&self.0)
    }
}

/// A file that there may be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OptionalPath(PathBuf);

impl OptionalPath {
    /// The path; `None` when it is empty.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        (!self.0.as_os_str().is_empty()).then_some(&self.0)
    }
}

impl Value for OptionalPath {
    const KIND: Kind = Kind::Text("path");

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(PathBuf::from(text)))
    }

    fn to_toml(&self, _secrets: Secrets) -> String {
        quoted(&self.0.display().to_string())
    }
}

/// A token for another server. It may be empty.
#[derive(Clone, Eq, PartialEq)]
pub struct ApiToken(Secret);

impl ApiToken {
    /// The token; `None` when it is empty.
    #[must_use]
    pub fn secret(&self) -> Option<&Secret> {
        (!self.0.reveal().is_empty()).then_some(&self.0)
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken")
    }
}

impl Value for ApiToken {
    const KIND: Kind = Kind::Secret("token");

    fn parse(text: &str) -> Result<Self, String> {
        if text.len() > TOKEN_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("must be visible characters of ASCII, without blanks".to_owned());
        }
        Ok(Self(Secret::new(text.to_owned())))
    }

    fn to_toml(&self, secrets: Secrets) -> String {
        self.secret().map_or_else(|| quoted(""), |it| quoted(&secrets.text(it)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_has_a_host_and_nothing_behind_its_path() {
        for (text, expected) in [
            ("https://api.cloudflare.com/client/v4", "https://api.cloudflare.com/client/v4"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:80/a/", "http://[::1]:80/a"),
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap().as_str(), expected);
        }
        for text in [
            "",
            "api.example.com",
            "ftp://a",
            "https://",
            "https:///a",
            "https://u:p@a",
            "https://a?b",
            "https://a#b",
            "https://a/../b",
            "https://a b",
            "https://a\r\nb",
            "https://ä",
        ] {
            assert!(BaseUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_is_not_shown_by_accident() {
        let token = <ApiToken as Value>::parse("canary_0123456789").unwrap();
        assert!(!format!("{token:?}").contains("canary"));
        assert!(!token.to_toml(Secrets::Masked).contains("0123"));
        assert_eq!(token.to_toml(Secrets::Shown), "\"canary_0123456789\"");
        assert!(<ApiToken as Value>::parse("").unwrap().secret().is_none());
        assert!(<ApiToken as Value>::parse("a b").is_err());
    }
}
