//! The tiers and rates of a file: which key means what, and how a tenant's plan comes of them.

use protocol::Window;

use super::error::ConfigError;
use super::load::nearest;
use super::table::{Config, CostsConfig};
use super::tenant::TenantConfig;
use crate::control::{Costs, Metered, OnTokenEnd, Paced, Plan, Priced, Rates, Tier};

/// Sockets at once.
pub(super) const SOCKETS_KEY: &str = "sockets_max";

/// What calls of Infrai may cost in all; of a tier, and of a tenant.
pub(super) const CREDIT_KEY: &str = "credit_micro_usd";

/// The keys of a tier: what is counted in which time.
pub(super) const QUOTA_KEYS: [(&str, Metered, Window); 16] = [
    ("requests_per_minute", Metered::Requests, Window::UtcMinute),
    ("requests_per_month", Metered::Requests, Window::Month),
    ("requests_in_all", Metered::Requests, Window::Lifetime),
    ("mints_per_minute", Metered::Mints, Window::UtcMinute),
    ("mints_per_month", Metered::Mints, Window::Month),
    ("mints_in_all", Metered::Mints, Window::Lifetime),
    ("messages_per_minute", Metered::Messages, Window::UtcMinute),
    ("messages_per_month", Metered::Messages, Window::Month),
    ("messages_in_all", Metered::Messages, Window::Lifetime),
    ("history_reads_per_minute", Metered::HistoryReads, Window::UtcMinute),
    ("history_reads_per_month", Metered::HistoryReads, Window::Month),
    ("history_reads_in_all", Metered::HistoryReads, Window::Lifetime),
    ("participant_tokens_per_minute", Metered::ParticipantTokens, Window::UtcMinute),
    ("participant_tokens_per_month", Metered::ParticipantTokens, Window::Month),
    ("participant_tokens_in_all", Metered::ParticipantTokens, Window::Lifetime),
    (CREDIT_KEY, Metered::Credit, Window::Lifetime),
];

/// The keys of one rate.
pub(super) struct RateKeys {
    pub(super) what: Paced,
    pub(super) per_second: &'static str,
    pub(super) burst: &'static str,
}

/// The keys of `[tenant.rates]`.
pub(super) const RATE_KEYS: [RateKeys; 6] = [
    rate(Paced::Connections, "connections_per_s", "connections_burst"),
    rate(Paced::Requests, "requests_per_s", "requests_burst"),
    rate(Paced::Publishes, "publishes_per_s", "publishes_burst"),
    rate(Paced::Bytes, "bytes_per_s", "bytes_burst"),
    rate(Paced::Subscriptions, "subscriptions_per_s", "subscriptions_burst"),
    rate(Paced::Channels, "channels_per_s", "channels_burst"),
];

const fn rate(what: Paced, per_second: &'static str, burst: &'static str) -> RateKeys {
    RateKeys { what, per_second, burst }
}

impl Config {
    /// The tier of a name: one of the file's, or one that needs no configuration.
    #[must_use]
    pub fn tier(&self, name: &str) -> Option<Tier> {
        let own = self.tiers.iter().find(|(it, _)| it == name);
        own.map(|(_, tier)| tier.clone()).or_else(|| Tier::preset(name))
    }

    /// What a tenant may do.
    pub(crate) fn plan(&self, tenant: &TenantConfig) -> Plan {
        let mut rates = Rates::default();
        for (what, rate) in &tenant.rates {
            rates.set(*what, *rate);
        }
        let ends = tenant.close_on_token_expiry;
        let tier = tenant.tier.as_deref().and_then(|it| self.tier(it));
        let tier = match tenant.credit_micro_usd {
            Some(credit) => Some(tier.unwrap_or_default().with_credit(credit)),
            None => tier,
        };
        Plan {
            tier,
            costs: self.costs.table(),
            rates,
            on_token_end: if ends { OnTokenEnd::Close } else { OnTokenEnd::Stay },
            origins: tenant.allowed_origins.clone(),
        }
    }
}

impl CostsConfig {
    fn table(&self) -> Costs {
        let mut costs = Costs::default();
        for (what, micro_usd) in [
            (Priced::TokenIssue, self.token_issue),
            (Priced::TokenRevoke, self.token_revoke),
            (Priced::ChannelCreate, self.channel_create),
            (Priced::ChannelGet, self.channel_get),
            (Priced::ChannelList, self.channel_list),
            (Priced::ChannelDelete, self.channel_delete),
            (Priced::Publish, self.publish),
            (Priced::PresenceGet, self.presence_get),
            (Priced::UserDisconnect, self.user_disconnect),
            (Priced::AuthSign, self.auth_sign),
        ] {
            costs.set(what, micro_usd);
        }
        costs
    }
}

/// Refuses tenants of a tier that nobody knows.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    for tenant in &config.tenants {
        let Some(name) = &tenant.tier else { continue };
        if config.tier(name).is_none() {
            let names =
                Tier::PRESETS.into_iter().chain(config.tiers.iter().map(|it| it.0.as_str()));
            let names: Vec<_> = names.collect();
            let hint = nearest(name, names.iter().copied())
                .map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
            let message = format!(
                "tenant \"{}\" has the tier \"{name}\"; it must be one of {}{hint}",
                tenant.name,
                names.join(", ")
            );
            return Err(ConfigError::Wrong { message });
        }
    }
    Ok(())
}
