//! Two tenants with the same channels, and what each may say.

use loadtest::history::{Channel, Shown, digest};
use serde_json::json;

use super::world::Chance;

/// A tenant. Its name is the word that nobody else may see.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) name: &'static str,
    digit: char,
}

pub(crate) static TENANTS: [Tenant; 2] =
    [Tenant { name: "one", digit: '1' }, Tenant { name: "two", digit: '2' }];

/// Channels of each tenant: they have the same names.
pub(crate) static CHANNELS: [&str; 4] = ["chaos:a", "chaos:b", "chaos:c", "chaos:d"];

/// What stands before a tenant's name wherever the tenant may be known by it.
const WORD: &str = "canary-";

const PAYLOAD_END: &str = "\"end\":0}";
const FILLER_BYTES_MAX: usize = 6_000;

impl Tenant {
    fn key(&self, prefix: &str, digits: usize) -> String {
        format!("{prefix}{}", self.digit.to_string().repeat(digits))
    }

    pub(crate) fn application_key(&self) -> String {
        self.key("coh_app_", 20)
    }

    pub(crate) fn project_key(&self) -> String {
        self.key("ifr_pk_proj_", 20)
    }

    pub(crate) fn api_key(&self) -> String {
        self.key("ik_", 64)
    }

    pub(crate) fn anon_key(&self) -> String {
        self.key("anon_", 64)
    }

    /// Its part of the configuration.
    pub(crate) fn config(&self) -> String {
        format!(
            "[[tenant]]\nname = \"{}\"\nsigning_secret = \"{}\"\n[tenant.cohesivity]\napplication_key = \"{}\"\n\
             management_key = \"{}\"\n[tenant.infrai]\nproject_key = \"{}\"\n[tenant.insforge]\napi_key = \"{}\"\n\
             anon_key = \"{}\"\njwt_secret = \"{}\"\n",
            self.name,
            self.key("", 64),
            self.application_key(),
            self.key("coh_man_", 20),
            self.project_key(),
            self.api_key(),
            self.anon_key(),
            self.key("", 40),
        )
    }

    /// One of its users.
    pub(crate) fn user(&self, number: usize) -> String {
        format!("{WORD}{}.user{number}", self.name)
    }

    pub(crate) fn channel(&self, name: &str) -> Channel {
        Channel { tenant: self.name.to_owned(), name: name.to_owned() }
    }

    /// A payload: its number, the tenant's word, and filler.
    pub(crate) fn payload(&self, message: u64, chance: &mut Chance) -> String {
        let most = if chance.one_in(8) { FILLER_BYTES_MAX } else { 100 };
        let filler = "x".repeat(chance.below(most));
        let (word, number) = (format!("{WORD}{}", self.name), chance.below(1_000));
        format!(
            "{{\"m\":{message}, \"w\":\"{word}\",\"n\":{number}.50,\"fill\":\"{filler}\",{PAYLOAD_END}"
        )
    }

    /// The message in what somebody was shown; `None` if it holds none.
    pub(crate) fn shown(&self, text: &str) -> Option<Shown> {
        let start = text.find("{\"m\":")?;
        let end = start + text[start..].find(PAYLOAD_END)? + PAYLOAD_END.len();
        let payload = &text[start..end];
        let digits = payload["{\"m\":".len()..].split(',').next()?;
        let (message, canary) = (digits.parse().ok()?, self.word_in(text).to_owned());
        let digest = digest(payload.as_bytes());
        Some(Shown { message, digest, canary, id: None, place: None })
    }

    /// The name of the first other tenant that a text knows; else its own.
    pub(crate) fn word_in<'a>(&'a self, text: &'a str) -> &'a str {
        let names = text.split(WORD).skip(1).map(|it| {
            it.split(|char: char| !char.is_ascii_alphanumeric()).next().unwrap_or_default()
        });
        names.into_iter().find(|it| *it != self.name).unwrap_or(self.name)
    }
}

/// A publish of Infrai's clients, or of Cohesivity's servers.
pub(crate) fn message(channel: &str, payload: &str, is_kept: bool) -> String {
    let persist = if is_kept { "" } else { ",\"persist\":false" };
    format!("{{\"channel\":{},\"event\":\"said\",\"data\":{payload}{persist}}}", json!(channel))
}
