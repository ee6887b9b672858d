//! The table as text: a default file, the values in force, the page of the documentation, the help of a flag.

use std::fmt::Write as _;

use super::load::{Loaded, Origin};
use super::secret::Secret;
use super::setting::{Kind, Setting};
use super::table::SETTINGS;
use super::tenant::TenantConfig;
use super::tier::{CREDIT_KEY, QUOTA_KEYS, RATE_KEYS, SOCKETS_KEY};
use super::value::quoted;

/// Whether secrets are written out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Secrets {
    /// Only enough to tell them apart.
    Masked,
    /// In full.
    Shown,
}

impl Secrets {
    /// The text of a secret.
    #[must_use]
    pub fn text(self, secret: &Secret) -> String {
        match self {
            Self::Masked => secret.masked(),
            Self::Shown => secret.reveal().to_owned(),
        }
    }
}

const TENANT_EXAMPLE: &str = "\
# A tenant is one isolated app. Without any, a development tenant \"dev\" is made.
#[[tenant]]
#name = \"demo\"
#signing_secret = \"…\"                # 64 hexadecimal digits; generated and kept in the data directory if absent
#tier = \"free\"                       # ephemeral, free, plus, pro or one of [tiers.NAME]; nothing is counted if absent
#credit_micro_usd = 2000000            # what its calls of Infrai may cost in all, by [costs]; nothing bounds it if absent
#close_on_token_expiry = false         # whether a socket ends with its token
#allowed_origins = [\"https://app.example\"]  # pages whose scripts may use it, \"null\" for those without an origin; any if absent
#[tenant.cohesivity]
#application_key = \"coh_app_…\"       # then 20 of a-z and 0-9; for servers that publish
#management_key = \"coh_man_…\"        # the same; for provisioning
#[tenant.infrai]
#project_key = \"ifr_pk_proj_…\"       # then 16 to 128 of a-z, A-Z, 0-9, - and _
#[tenant.insforge]
#api_key = \"ik_…\"                    # then 64 hexadecimal digits; for servers and administrators
#anon_key = \"anon_…\"                 # the same; for browsers, and no secret
#jwt_secret = \"…\"                    # what its users' tokens are signed with: at least 32 characters
#jwks_file = \"jwks.json\"             # public keys of others who sign them (RS256); its path begins where this file is
#hosts = [\"app.example\"]             # where tokens are of its users; with none, wherever no other tenant's are
#shadow = false                        # whether what policies deny is done nevertheless, and logged
#[tenant.pusher]                       # what signatures for clients of Pusher are made with
#app_id = \"…\"
#key = \"…\"
#secret = \"…\"
#encryption_master_key_base64 = \"…\"  # 32 bytes; only encrypted channels need it
#[tenant.ably]
#key = \"app.id:secret\"
#[tenant.liveblocks]
#secret_key = \"sk_…\"
#base_url = \"https://api.liveblocks.io\"
#[tenant.rates]                        # token buckets: so many a second, and so many at once after a rest
#publishes_per_s = 100                 # also connections_, requests_, bytes_, subscriptions_ and channels_
#publishes_burst = 200                 # what comes in a second if absent

# A tier of one's own. A bound that is absent does not hold.
#[tiers.team]
#sockets_max = 200
#requests_per_minute = 600             # also mints_, messages_, history_reads_ and participant_tokens_
#messages_per_month = 1000000          # each _per_minute, _per_month or _in_all
#credit_micro_usd = 2000000            # as a tenant's, which comes first
# Whatever is admitted counts, also if nothing comes of it then: a message that the disk has no room for, a query with a mistake.
# To open a socket is a request; to publish on it is none. A call that is refused for a bound takes nothing of the others,
# but with an idempotency key it is a request in any case; a channel registered on the way counts for channels_, whatever follows.
";

/// A file in which every setting has its default.
#[must_use]
pub fn default_file() -> String {
    let mut out = String::new();
    each_section(|section, rows| {
        let _ = writeln!(out, "[{section}]"); // a String takes everything
        for setting in rows {
            let (key, value) = (setting.key, setting.default_toml());
            let _ = writeln!(out, "# {} ({})\n{key} = {value}", setting.doc, setting.range());
        }
        out.push('\n');
    });
    out.push_str(TENANT_EXAMPLE);
    out
}

/// Every value in force with its origin, as a file that gives the same configuration.
#[must_use]
pub fn shown(loaded: &Loaded, secrets: Secrets) -> String {
    let mut out = String::new();
    each_section(|section, rows| {
        let _ = writeln!(out, "[{section}]"); // a String takes everything
        for setting in rows {
            let line = format!("{} = {}", setting.key, (setting.show)(&loaded.config, secrets));
            let origin = match (loaded.origin(setting), &loaded.file) {
                (Origin::File { line }, Some(file)) => format!("{}:{line}", file.display()),
                (origin, _) => origin.to_string(),
            };
            let _ = writeln!(out, "{line:<44} # {origin}");
        }
        out.push('\n');
    });
    for (name, tier) in &loaded.config.tiers {
        let _ = writeln!(out, "[tiers.{name}]");
        if let Some(sockets) = tier.sockets_max {
            let _ = writeln!(out, "{SOCKETS_KEY} = {sockets}");
        }
        for quota in &tier.quotas {
            let key = QUOTA_KEYS.iter().find(|it| (it.1, it.2) == (quota.what, quota.window));
            let _ = writeln!(out, "{} = {}", key.map_or("", |it| it.0), quota.max);
        }
        out.push('\n');
    }
    for tenant in &loaded.config.tenants {
        out.push_str(&tenant.to_toml(secrets));
        out.push('\n');
    }
    out
}

impl TenantConfig {
    /// The tenant as a file has it.
    pub(crate) fn to_toml(&self, secrets: Secrets) -> String {
        let mut out = format!("[[tenant]]\nname = \"{}\"\n", self.name);
        let mut line = |key: &str, value: String| {
            let _ = writeln!(out, "{key} = {value}"); // a String takes everything
        };
        if let Some(secret) = self.signing_secret {
            line("signing_secret", quoted(&secrets.text(&Secret::new(secret.to_hex()))));
        }
        if let Some(tier) = &self.tier {
            line("tier", quoted(tier));
        }
        if let Some(credit) = self.credit_micro_usd {
            line(CREDIT_KEY, credit.to_string());
        }
        if self.close_on_token_expiry {
            line("close_on_token_expiry", "true".to_owned());
        }
        if let Some(origins) = &self.allowed_origins {
            let origins: Vec<_> = origins.iter().map(quoted).collect();
            line("allowed_origins", format!("[{}]", origins.join(", ")));
        }
        let tables = [self.key_rows(secrets), self.vendor_rows(secrets), self.rate_rows()];
        for (table, rows) in tables.into_iter().flatten() {
            let _ = writeln!(out, "[tenant.{table}]"); // a String takes everything
            for (key, value) in rows {
                let _ = writeln!(out, "{key} = {value}");
            }
        }
        out
    }

    fn key_rows(&self, secrets: Secrets) -> Rows {
        let mut tables = Vec::new();
        if let Some(keys) = &self.cohesivity {
            let rows = vec![
                ("application_key", quoted(&secrets.text(&keys.application_key))),
                ("management_key", quoted(&secrets.text(&keys.management_key))),
            ];
            tables.push(("cohesivity", rows));
        }
        if let Some(key) = &self.project_key {
            tables.push(("infrai", vec![("project_key", quoted(&secrets.text(key)))]));
        }
        tables.extend(self.insforge.as_ref().map(|it| ("insforge", it.rows(secrets))));
        tables
    }

    fn vendor_rows(&self, secrets: Secrets) -> Rows {
        let mut tables = Vec::new();
        if let Some(it) = &self.vendors.pusher {
            let mut rows = vec![
                ("app_id", quoted(&it.app_id)),
                ("key", quoted(&it.key)),
                ("secret", quoted(&secrets.text(&it.secret))),
            ];
            let master = it.master_key.as_ref();
            rows.extend(
                master.map(|it| ("encryption_master_key_base64", quoted(&secrets.text(it)))),
            );
            tables.push(("pusher", rows));
        }
        if let Some(key) = &self.vendors.ably {
            tables.push(("ably", vec![("key", quoted(&secrets.text(key)))]));
        }
        if let Some(it) = &self.vendors.liveblocks {
            let rows = vec![
                ("secret_key", quoted(&secrets.text(&it.secret_key))),
                ("base_url", quoted(&it.base_url)),
            ];
            tables.push(("liveblocks", rows));
        }
        tables
    }

    fn rate_rows(&self) -> Rows {
        let rows = self.rates.iter().flat_map(|(what, rate)| {
            let keys = RATE_KEYS.iter().filter(move |it| it.what == *what);
            keys.flat_map(|it| {
                [(it.per_second, rate.per_second.to_string()), (it.burst, rate.burst.to_string())]
            })
        });
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() { Vec::new() } else { vec![("rates", rows)] }
    }
}

/// Tables below a tenant: the name of each, its keys and their values.
type Rows = Vec<(&'static str, Vec<(&'static str, String)>)>;

/// `docs/settings.md`.
#[must_use]
pub fn settings_page() -> String {
    let mut out = String::from(
        "# Settings\n\n\
         Written by `stentor config doc` from the table in `engine/src/config/table.rs`; a test compares the two.\n\n\
         A setting is read from a TOML file (`--config FILE`, or the variable `STENTOR_CONFIG`), then from the environment,\n\
         then from flags; the later wins. `limits.head_bytes_max` in the file is `STENTOR_LIMITS_HEAD_BYTES_MAX` in the\n\
         environment and `--limits-head-bytes-max` on the command line; settings of `[server]` have flags without the section\n\
         (`--listen`). An unknown name or a value outside its range ends the start with exit code 78.\n\
         `stentor config show` prints every value in force and where it came from.\n",
    );
    each_section(|section, rows| {
        let _ = writeln!(out, "\n## [{section}]\n"); // a String takes everything
        out.push_str("| setting | default | values | what it does |\n|---|---|---|---|\n");
        for setting in rows {
            let (key, default, range) = (setting.key, setting.default_toml(), setting.range());
            let _ = writeln!(out, "| `{key}` | `{default}` | {range} | {} |", setting.doc);
        }
    });
    let _ = write!(out, "\n## [[tenant]] and [tiers]\n\n```toml\n{TENANT_EXAMPLE}```\n");
    out
}

/// What `--help` says of a setting.
#[must_use]
pub fn flag_help(setting: &Setting) -> String {
    let range = match setting.kind {
        Kind::Number { .. } | Kind::Choice(_) => format!("; {}", setting.range()),
        Kind::Switch | Kind::Text(_) | Kind::Secret(_) => String::new(),
    };
    format!("{} [default: {}{range}]", setting.doc, setting.default_toml())
}

fn each_section(mut visit: impl FnMut(&str, &[Setting])) {
    for rows in SETTINGS.chunk_by(|one, other| one.section == other.section) {
        if let Some(first) = rows.first() {
            visit(first.section, rows);
        }
    }
}
