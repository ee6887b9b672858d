//! The settings of webhooks as their room wants them.

use super::setting::Kind;
use super::table::WebhooksConfig;
use super::text::Secrets;
use super::value::{Value, WebhookFormat, quoted};
use crate::side::Authorities;
use crate::side::webhook::{
    BodyFormat, DeliveryForm, EgressRules, Nameservers, Private, Retry, SigningSecrets,
    WebhookLimits, WebhookOptions,
};

const PORTS_MAX: usize = 32;

/// Ports, of which there is at least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ports(Vec<u16>);

impl Value for Ports {
    const KIND: Kind = Kind::Text("ports");

    fn parse(text: &str) -> Result<Self, String> {
        let ports = text.split(',').map(|it| it.trim().parse::<u16>().ok().filter(|it| *it > 0));
        let ports = ports.collect::<Option<Vec<u16>>>().filter(|it| it.len() <= PORTS_MAX);
        ports.map(Self).ok_or_else(|| format!("must be at most {PORTS_MAX} ports, as 443, 8443"))
    }

    fn to_toml(&self, _secrets: Secrets) -> String {
        let ports: Vec<String> = self.0.iter().map(u16::to_string).collect();
        quoted(&ports.join(", "))
    }
}

impl WebhooksConfig {
    /// What deliveries are started with: who may vouch for receivers beside the system's authorities, and what chance begins with.
    #[must_use]
    pub fn options(&self, authorities: Authorities, seed: u64) -> WebhookOptions {
        let private = if self.allow_private_targets { Private::Allowed } else { Private::Refused };
        let format = match self.format {
            WebhookFormat::Envelope => BodyFormat::Envelope,
            WebhookFormat::Payload => BodyFormat::Payload,
        };
        let secrets = SigningSecrets {
            current: self.signing_secret.secret().cloned(),
            before: self.signing_secret_before.secret().cloned(),
        };
        WebhookOptions {
            limits: self.limits(),
            form: DeliveryForm { format, secrets },
            rules: EgressRules { private, ports: self.ports.0.clone() },
            nameservers: Nameservers::System,
            authorities,
            seed,
        }
    }

    fn limits(&self) -> WebhookLimits {
        WebhookLimits {
            endpoints_max: self.endpoints_max,
            in_flight_max: self.in_flight_max,
            calls_max: self.calls_max,
            attempts_max: self.attempts_max,
            retry: if self.retry_busy { Retry::NoAnswerOrBusy } else { Retry::NoAnswer },
            breaker_failures: self.breaker_failures,
            breaker_wait_ms: self.breaker_wait_ms,
            breaker_wait_ms_max: self.breaker_wait_ms_max,
            waiting_ms_max: self.waiting_s_max.saturating_mul(1_000),
            dead_letters_max: self.dead_letters_max,
            loaded_bytes_max: self.loaded_bytes_max,
            save_ms: self.save_ms,
            ..WebhookLimits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_defaults_of_the_table_are_those_of_the_room() {
        let options = Config::default().webhooks.options(Authorities::default(), 1);
        assert_eq!(format!("{:?}", options.limits), format!("{:?}", WebhookLimits::default()));
        assert_eq!(format!("{:?}", options.rules), format!("{:?}", EgressRules::default()));
        assert!(options.form.secrets.current.is_none() && options.form.secrets.before.is_none());
        assert_eq!(options.form.format, BodyFormat::Envelope);
    }

    #[test]
    fn ports_are_a_list() {
        for (text, expected) in [("443", vec![443]), (" 443, 8443 ", vec![443, 8_443])] {
            assert_eq!(Ports::parse(text).unwrap().0, expected);
        }
        for text in ["", "0", "443,", "a", "65536", "-1", "443;80"] {
            assert!(Ports::parse(text).is_err(), "{text}");
        }
        assert_eq!(Ports(vec![443, 80]).to_toml(Secrets::Masked), "\"443, 80\"");
    }
}
