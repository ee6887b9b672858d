//! A row of the table of settings, and the macro that makes typed structs and rows from the same lines.

use super::table::Config;
use super::text::Secrets;

/// What values a setting takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A whole number in a range.
    Number {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// True or false.
    Switch,
    /// A text of this form.
    Text(&'static str),
    /// A text of this form that must not be shown.
    Secret(&'static str),
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// One row: everything that parsing, `--help` and the documentation know of a setting.
#[derive(Debug)]
pub struct Setting {
    /// The table of the file that it stands in.
    pub section: &'static str,
    /// Its name there.
    pub key: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// One line on what it does.
    pub doc: &'static str,
    pub(super) default_literal: &'static str,
    pub(super) assign: fn(&mut Config, &str) -> Result<(), String>,
    pub(super) show: fn(&Config, Secrets) -> String,
}

impl Setting {
    /// `limits.outbox_bytes_max`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    /// `STENTOR_LIMITS_OUTBOX_BYTES_MAX`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}_{}", self.section, self.key).to_uppercase()
    }

    /// `limits-outbox-bytes-max`; the server's own settings have no section in front.
    #[must_use]
    pub fn flag(&self) -> String {
        let name = if self.section == "server" {
            self.key.to_owned()
        } else {
            format!("{}-{}", self.section, self.key)
        };
        name.replace('_', "-")
    }

    /// The default, as it stands in a file.
    #[must_use]
    pub fn default_toml(&self) -> String {
        if self.default_literal.starts_with('"') {
            self.default_literal.to_owned()
        } else {
            self.default_literal.replace('_', "")
        }
    }

    /// What values it takes, in words.
    #[must_use]
    pub fn range(&self) -> String {
        match self.kind {
            Kind::Number { min, max, unit } => format!("{min} to {max} {unit}"),
            Kind::Switch => "true or false".to_owned(),
            Kind::Text(form) | Kind::Secret(form) => form.to_owned(),
            Kind::Choice(words) => words.join(" or "),
        }
    }
}

/// Every variable of the environment that is ours begins so.
pub(super) const PREFIX: &str = "STENTOR_";

/// Makes, from one list of rows, the struct of each section, [`Config`], and `SETTINGS`.
macro_rules! settings {
    ($(
        $(#[$about:meta])*
        $section:ident: $type:ident {
            $($key:ident: $value:ty = $default:literal $(in $min:literal..=$max:literal $unit:ident)?, $doc:literal;)*
        }
    )*) => {
        $(
            $(#[$about])*
            #[derive(Clone, Debug)]
            pub struct $type {
                $(#[doc = $doc] pub $key: $value,)*
            }
        )*

        /// Everything an operator chose, checked.
        #[derive(Clone)]
        pub struct Config {
            $($(#[$about])* pub $section: $type,)*
            /// The tenants that the file names; see [`provision`](super::provision) for what is added.
            pub tenants: Vec<TenantConfig>,
            /// The tiers that the file names; see [`Config::tier`].
            pub tiers: Vec<(String, Tier)>,
        }

        impl Default for Config {
            fn default() -> Self {
                Self {
                    $($section: $type {
                        $($key: <$value as Value>::parse(&bare(stringify!($default)))
                            .expect("a default of the table is valid"),)*
                    },)*
                    tenants: Vec::new(),
                    tiers: Vec::new(),
                }
            }
        }

        /// Every setting there is, in the order of the documentation.
        pub static SETTINGS: &[Setting] = &[$($(
            Setting {
                section: stringify!($section),
                key: stringify!($key),
                kind: settings!(@kind $value $(, $min, $max, $unit)?),
                doc: $doc,
                default_literal: stringify!($default),
                assign: |config, text| {
                    config.$section.$key = <$value as Value>::parse(text)?;
                    Ok(())
                },
                show: |config, secrets| Value::to_toml(&config.$section.$key, secrets),
            },
        )*)*];
    };
    (@kind $value:ty) => { <$value as Value>::KIND };
    (@kind $value:ty, $min:literal, $max:literal, $unit:ident) => {
        Kind::Number { min: $min, max: $max, unit: stringify!($unit) }
    };
}
pub(super) use settings;

/// A literal without its quotes or digit separators.
pub(super) fn bare(literal: &str) -> String {
    match literal.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
        Some(text) => text.to_owned(),
        None => literal.replace('_', ""),
    }
}
