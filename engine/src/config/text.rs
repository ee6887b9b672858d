//! The table as text: a default file, the values in force, the page of the documentation, the help of a flag.

use std::fmt::Write as _;

use super::load::{Loaded, Origin};
use super::secret::Secret;
use super::setting::{Kind, Setting};
use super::table::SETTINGS;

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
#[tenant.cohesivity]
#application_key = \"coh_app_…\"       # then 20 of a-z and 0-9; for servers that publish
#management_key = \"coh_man_…\"        # the same; for provisioning
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
    for tenant in &loaded.config.tenants {
        let _ = writeln!(out, "[[tenant]]\nname = \"{}\"", tenant.name);
        if let Some(secret) = tenant.signing_secret {
            let secret = secrets.text(&Secret::new(secret.to_hex()));
            let _ = writeln!(out, "signing_secret = \"{secret}\"");
        }
        if let Some(keys) = &tenant.cohesivity {
            let (application, management) =
                (secrets.text(&keys.application_key), secrets.text(&keys.management_key));
            let _ = writeln!(out, "[tenant.cohesivity]\napplication_key = \"{application}\"");
            let _ = writeln!(out, "management_key = \"{management}\"");
        }
        out.push('\n');
    }
    out
}

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
    let _ = write!(out, "\n## [[tenant]]\n\n```toml\n{TENANT_EXAMPLE}```\n");
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
