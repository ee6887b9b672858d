//! Reads the tenants and the tiers of a file.

use protocol::{NoOrigin, Origins};

use super::error::{ConfigError, Place};
use super::file::{Item, Source, Table};
use super::load::nearest;
use super::secret::{Secret, SigningSecret};
use super::tenant::{
    self, APPLICATION_KEY_PREFIX, CohesivityKeys, KEY_TAIL_BYTES, LIVEBLOCKS_URL, LiveblocksConfig,
    MANAGEMENT_KEY_PREFIX, PROJECT_KEY_PREFIX, PusherConfig, TenantConfig, VendorConfig,
};
use super::tier::{CREDIT_KEY, QUOTA_KEYS, RATE_KEYS, SOCKETS_KEY};
use super::value::quoted;
use crate::control::{Paced, Quota, Rate, Tier};

/// Origins of one tenant.
pub(crate) const ORIGINS_MAX: usize = 64;
/// What each is.
pub(crate) const ORIGIN_RULE: &str =
    "each must be https://name, with a port if it is no usual one and nothing behind it, or null";

/// A table whose keys are known.
pub(super) struct Fields<'s, 'v, 'a> {
    source: &'s Source<'a>,
    path: &'static str,
    table: &'v Table<'a>,
    place: Place,
}

impl<'v, 'a> Fields<'_, 'v, 'a> {
    pub(super) fn get(&self, key: &str) -> Option<&'v Item<'a>> {
        self.table.get(key)
    }

    fn path_of(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn required(&self, key: &str) -> Result<&'v Item<'a>, ConfigError> {
        self.get(key).ok_or_else(|| ConfigError::missing(&self.place, &self.path_of(key)))
    }

    fn text(&self, key: &str) -> Result<&'v str, ConfigError> {
        self.source.text(&self.path_of(key), self.required(key)?)
    }

    fn secret(&self, key: &str) -> Result<Option<Secret>, ConfigError> {
        let text = self.get(key).map(|it| self.source.text(&self.path_of(key), it)).transpose()?;
        Ok(text.map(|it| Secret::new(it.to_owned())))
    }
}

impl<'a> Source<'a> {
    pub(super) fn fields<'s, 'v>(
        &'s self,
        path: &'static str,
        value: &'v Item<'a>,
        known: &[&'static str],
    ) -> Result<Fields<'s, 'v, 'a>, ConfigError> {
        let table = self.table(path, value)?;
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let nearest = nearest(name, known.iter().copied());
                let place = self.place(key.span());
                return Err(ConfigError::unknown(&place, &format!("{path}.{name}"), nearest));
            }
        }
        Ok(Fields { source: self, path, table, place: self.place(value.span()) })
    }

    pub(super) fn tenants(&self, value: &Item<'a>) -> Result<Vec<TenantConfig>, ConfigError> {
        let Some(array) = value.get_ref().as_array() else {
            let found = format!("of type {}", value.get_ref().type_str());
            let rule = "it must be a list, as [[tenant]]";
            return Err(ConfigError::value(&self.place(value.span()), "tenant", &found, rule));
        };
        array.iter().map(|item| self.tenant(item)).collect()
    }

    fn tenant(&self, value: &Item<'a>) -> Result<TenantConfig, ConfigError> {
        const KNOWN: [&str; 13] = [
            "name",
            "signing_secret",
            "tier",
            CREDIT_KEY,
            "close_on_token_expiry",
            "allowed_origins",
            "rates",
            "cohesivity",
            "infrai",
            "insforge",
            "pusher",
            "ably",
            "liveblocks",
        ];
        let fields = self.fields("tenant", value, &KNOWN)?;
        let secret = |it| self.hex_secret("tenant.signing_secret", it);
        let tier = |it| self.text("tenant.tier", it).map(str::to_owned);
        let credit = |it| self.number("tenant.credit_micro_usd", it, u64::MAX);
        let table = |key| fields.get(key);
        let tenant = TenantConfig {
            name: self.tenant_name(fields.required("name")?)?,
            signing_secret: table("signing_secret").map(secret).transpose()?,
            cohesivity: table("cohesivity").map(|it| self.cohesivity(it)).transpose()?,
            project_key: table("infrai").map(|it| self.infrai(it)).transpose()?,
            insforge: table("insforge").map(|it| self.insforge(it)).transpose()?,
            vendors: VendorConfig {
                pusher: table("pusher").map(|it| self.pusher(it)).transpose()?,
                ably: table("ably").map(|it| self.ably(it)).transpose()?,
                liveblocks: table("liveblocks").map(|it| self.liveblocks(it)).transpose()?,
            },
            tier: table("tier").map(tier).transpose()?,
            credit_micro_usd: table(CREDIT_KEY).map(credit).transpose()?,
            rates: table("rates").map_or_else(|| Ok(Vec::new()), |it| self.rates(it))?,
            close_on_token_expiry: match table("close_on_token_expiry") {
                Some(it) => self.switch("tenant.close_on_token_expiry", it)?,
                None => false,
            },
            allowed_origins: table("allowed_origins").map(|it| self.origins(it)).transpose()?,
        };
        // The vendors' own rules; they name the key and never show it.
        tenant.vendors.keys().map_err(|why| ConfigError::Wrong {
            message: format!("{}: tenant.{why}", fields.place),
        })?;
        Ok(tenant)
    }

    pub(super) fn text<'v>(&self, key: &str, value: &'v Item<'a>) -> Result<&'v str, ConfigError> {
        value.get_ref().as_str().ok_or_else(|| self.is_no(key, value, "it must be a text"))
    }

    pub(super) fn switch(&self, key: &str, value: &Item<'a>) -> Result<bool, ConfigError> {
        let it = value.get_ref().as_bool();
        it.ok_or_else(|| self.is_no(key, value, "it must be true or false"))
    }

    fn number(&self, key: &str, value: &Item<'a>, max: u64) -> Result<u64, ConfigError> {
        let rule = format!("it must be a whole number from 0 to {max}");
        let Some(number) = value.get_ref().as_integer() else {
            return Err(self.is_no(key, value, &rule));
        };
        let read = u64::from_str_radix(number.as_str(), number.radix());
        read.ok().filter(|it| *it <= max).ok_or_else(|| {
            ConfigError::value(&self.place(value.span()), key, number.as_str(), &rule)
        })
    }

    pub(super) fn is_no(&self, key: &str, value: &Item<'a>, rule: &str) -> ConfigError {
        let found = format!("of type {}", value.get_ref().type_str());
        ConfigError::value(&self.place(value.span()), key, &found, rule)
    }

    fn origins(&self, value: &Item<'a>) -> Result<Origins, ConfigError> {
        const KEY: &str = "tenant.allowed_origins";
        let list = value.get_ref().as_array();
        let list = list.ok_or_else(|| self.is_no(KEY, value, "it must be a list of origins"))?;
        if list.len() > ORIGINS_MAX {
            let (found, rule) =
                (format!("a list of {}", list.len()), format!("it may have {ORIGINS_MAX} origins"));
            return Err(ConfigError::value(&self.place(value.span()), KEY, &found, &rule));
        }
        list.iter().try_fold(Origins::default(), |origins, item| {
            let text = self.text(KEY, item)?;
            origins.and(text).map_err(|NoOrigin| {
                ConfigError::value(&self.place(item.span()), KEY, &quoted(text), ORIGIN_RULE)
            })
        })
    }

    fn tenant_name(&self, value: &Item<'a>) -> Result<String, ConfigError> {
        let name = self.text("tenant.name", value)?;
        if tenant::is_name(name) {
            return Ok(name.to_owned());
        }
        let rule = "it must be 1 to 64 of a-z, 0-9, - and _";
        Err(ConfigError::value(&self.place(value.span()), "tenant.name", &quoted(name), rule))
    }

    pub(super) fn hex_secret(
        &self,
        key: &str,
        value: &Item<'a>,
    ) -> Result<SigningSecret, ConfigError> {
        let text = self.text(key, value)?;
        SigningSecret::parse(text).ok_or_else(|| {
            let found = format!("{} characters", text.chars().count());
            let rule = "it must be 64 hexadecimal digits (openssl rand -hex 32 makes one)";
            ConfigError::value(&self.place(value.span()), key, &found, rule)
        })
    }

    fn cohesivity(&self, value: &Item<'a>) -> Result<CohesivityKeys, ConfigError> {
        let known = ["application_key", "management_key"];
        let fields = self.fields("tenant.cohesivity", value, &known)?;
        let key = |key, prefix: &str| {
            let rule = format!("it must be {prefix} and {KEY_TAIL_BYTES} of a-z and 0-9");
            self.key(&fields, key, &rule, |it| tenant::is_key(it, prefix))
        };
        Ok(CohesivityKeys {
            application_key: key("application_key", APPLICATION_KEY_PREFIX)?,
            management_key: key("management_key", MANAGEMENT_KEY_PREFIX)?,
        })
    }

    fn infrai(&self, value: &Item<'a>) -> Result<Secret, ConfigError> {
        let fields = self.fields("tenant.infrai", value, &["project_key"])?;
        let rule =
            format!("it must be {PROJECT_KEY_PREFIX} and 16 to 128 of a-z, A-Z, 0-9, - and _");
        self.key(&fields, "project_key", &rule, tenant::is_project_key)
    }

    pub(super) fn key(
        &self,
        fields: &Fields<'_, '_, 'a>,
        key: &str,
        rule: &str,
        is_right: impl Fn(&str) -> bool,
    ) -> Result<Secret, ConfigError> {
        let value = fields.required(key)?;
        let text = fields.text(key)?;
        if is_right(text) {
            return Ok(Secret::new(text.to_owned()));
        }
        let found = format!("{} characters", text.chars().count());
        Err(ConfigError::value(&self.place(value.span()), &fields.path_of(key), &found, rule))
    }

    fn pusher(&self, value: &Item<'a>) -> Result<PusherConfig, ConfigError> {
        let known = ["app_id", "key", "secret", "encryption_master_key_base64"];
        let fields = self.fields("tenant.pusher", value, &known)?;
        Ok(PusherConfig {
            app_id: fields.text("app_id")?.to_owned(),
            key: fields.text("key")?.to_owned(),
            secret: Secret::new(fields.text("secret")?.to_owned()),
            master_key: fields.secret("encryption_master_key_base64")?,
        })
    }

    fn ably(&self, value: &Item<'a>) -> Result<Secret, ConfigError> {
        let fields = self.fields("tenant.ably", value, &["key"])?;
        Ok(Secret::new(fields.text("key")?.to_owned()))
    }

    fn liveblocks(&self, value: &Item<'a>) -> Result<LiveblocksConfig, ConfigError> {
        let fields = self.fields("tenant.liveblocks", value, &["secret_key", "base_url"])?;
        let base_url = match fields.get("base_url") {
            None => LIVEBLOCKS_URL,
            Some(value) => {
                let text = fields.text("base_url")?;
                if !is_base_url(text) {
                    let rule = "it must be http://… or https://… without a slash at its end";
                    let place = self.place(value.span());
                    let key = "tenant.liveblocks.base_url";
                    return Err(ConfigError::value(&place, key, &quoted(text), rule));
                }
                text
            }
        };
        let secret_key = Secret::new(fields.text("secret_key")?.to_owned());
        Ok(LiveblocksConfig { secret_key, base_url: base_url.to_owned() })
    }

    fn rates(&self, value: &Item<'a>) -> Result<Vec<(Paced, Rate)>, ConfigError> {
        let known: Vec<_> = RATE_KEYS.iter().flat_map(|it| [it.per_second, it.burst]).collect();
        let fields = self.fields("tenant.rates", value, &known)?;
        let number = |key: &str| match fields.get(key) {
            Some(value) => self.number(&fields.path_of(key), value, u32::MAX.into()),
            None => Ok(0),
        };
        let mut rates = Vec::new();
        for it in &RATE_KEYS {
            let (per_second, burst) = (number(it.per_second)?, number(it.burst)?);
            if burst > 0 && per_second == 0 {
                return Err(ConfigError::missing(&fields.place, &fields.path_of(it.per_second)));
            }
            if per_second > 0 {
                let narrow = |it: u64| u32::try_from(it).unwrap_or(u32::MAX);
                let rate = Rate { per_second: narrow(per_second), burst: narrow(burst) };
                rates.push((it.what, rate));
            }
        }
        Ok(rates)
    }

    pub(super) fn tiers(&self, value: &Item<'a>) -> Result<Vec<(String, Tier)>, ConfigError> {
        let mut tiers = Vec::new();
        for (key, value) in self.table("tiers", value)? {
            let name = key.get_ref().as_ref();
            let rule = if Tier::PRESETS.contains(&name) {
                Some("a tier of the house cannot be changed; give yours another name")
            } else {
                (!tenant::is_name(name)).then_some("it must be 1 to 64 of a-z, 0-9, - and _")
            };
            if let Some(rule) = rule {
                let place = self.place(key.span());
                return Err(ConfigError::value(&place, "the name of a tier", &quoted(name), rule));
            }
            tiers.push((name.to_owned(), self.tier(value)?));
        }
        Ok(tiers)
    }

    fn tier(&self, value: &Item<'a>) -> Result<Tier, ConfigError> {
        let quotas = QUOTA_KEYS.iter().map(|it| it.0);
        let known: Vec<_> = [SOCKETS_KEY].into_iter().chain(quotas).collect();
        let fields = self.fields("tiers.*", value, &known)?;
        let number = |key: &str, max| {
            fields.get(key).map(|it| self.number(&fields.path_of(key), it, max)).transpose()
        };
        let sockets = number(SOCKETS_KEY, u32::MAX.into())?;
        let mut tier =
            Tier { sockets_max: sockets.and_then(|it| u32::try_from(it).ok()), quotas: Vec::new() };
        for (key, what, window) in QUOTA_KEYS {
            if let Some(max) = number(key, u64::MAX)? {
                tier.quotas.push(Quota { what, window, max });
            }
        }
        Ok(tier)
    }
}

fn is_base_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|it| {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'@');
        !it.is_empty() && it.bytes().all(is_plain) && !it.ends_with('/') && !it.starts_with('/')
    })
}
