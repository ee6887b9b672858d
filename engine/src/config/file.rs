//! Reads a TOML file into the table's settings and the tenants, and knows on which line it stands.

use std::fs;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};
use super::load::{Loaded, nearest};
use super::secret::{Secret, SigningSecret};
use super::setting::Setting;
use super::table::SETTINGS;
use super::tenant::{self, CohesivityKeys, TenantConfig};

/// A configuration is a page, not a database.
const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Reads `path` into `loaded`.
pub(super) fn read(path: &Path, loaded: &mut Loaded) -> Result<(), ConfigError> {
    let text = contents(path)?;
    let source = Source { path, text: &text };
    for (key, value) in source.parse()?.get_ref() {
        let name = key.get_ref().as_ref();
        if name == "tenant" {
            loaded.config.tenants = source.tenants(value)?;
            continue;
        }
        let place = source.place(key.span());
        if !SETTINGS.iter().any(|it| it.section == name) {
            let sections = SETTINGS.iter().map(|it| it.section).chain(["tenant"]);
            return Err(ConfigError::unknown(&place, name, nearest(name, sections)));
        }
        source.section(name, source.table(name, value)?, loaded)?;
    }
    Ok(())
}

/// Reads a file that holds only tenants: what [`super::provision`] keeps in the data directory.
pub(super) fn read_tenants(path: &Path) -> Result<Vec<TenantConfig>, ConfigError> {
    let text = contents(path)?;
    let source = Source { path, text: &text };
    match source.parse()?.get_ref().get("tenant") {
        Some(value) => source.tenants(value),
        None => Ok(Vec::new()),
    }
}

fn contents(path: &Path) -> Result<String, ConfigError> {
    let text = fs::read_to_string(path).map_err(|cause| ConfigError::io("read", path, cause))?;
    if text.len() > FILE_BYTES_MAX {
        let message =
            format!("{}: {} bytes of at most {FILE_BYTES_MAX}", path.display(), text.len());
        return Err(ConfigError::Wrong { message });
    }
    Ok(text)
}

/// A file while it is read.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

type Table<'a> = DeTable<'a>;
type Item<'a> = Spanned<DeValue<'a>>;

impl<'a> Source<'a> {
    fn parse(&self) -> Result<Spanned<Table<'a>>, ConfigError> {
        DeTable::parse(self.text).map_err(|error| {
            let place = self.place(error.span().unwrap_or_default());
            ConfigError::syntax(&place, error.message())
        })
    }

    fn place(&self, span: Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Place::File { path: self.path.to_path_buf(), line }
    }

    fn table<'v>(&self, name: &str, value: &'v Item<'a>) -> Result<&'v Table<'a>, ConfigError> {
        value.get_ref().as_table().ok_or_else(|| {
            let rule = format!("it must be a table, as [{name}]");
            ConfigError::value(&self.place(value.span()), name, value.get_ref().type_str(), &rule)
        })
    }

    fn section(
        &self,
        section: &str,
        table: &Table<'a>,
        loaded: &mut Loaded,
    ) -> Result<(), ConfigError> {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let mut rows = SETTINGS.iter().filter(|it| it.section == section);
            let Some(setting) = rows.clone().find(|it| it.key == name) else {
                let nearest = nearest(name, rows.by_ref().map(|it| it.key));
                let place = self.place(key.span());
                return Err(ConfigError::unknown(&place, &format!("{section}.{name}"), nearest));
            };
            let place = self.place(value.span());
            loaded.assign(setting, &self.scalar(setting, value)?, &place)?;
        }
        Ok(())
    }

    /// The text form that the environment and flags would give.
    fn scalar(&self, setting: &Setting, value: &Item<'a>) -> Result<String, ConfigError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(number) => Ok(i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| number.to_string(), |it| it.to_string())),
            DeValue::Boolean(it) => Ok(it.to_string()),
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                let rule = format!("it must be {}", setting.range());
                let found = format!("of type {}", value.get_ref().type_str());
                Err(ConfigError::value(&self.place(value.span()), &setting.path(), &found, &rule))
            }
        }
    }

    fn tenants(&self, value: &Item<'a>) -> Result<Vec<TenantConfig>, ConfigError> {
        let Some(array) = value.get_ref().as_array() else {
            let found = format!("of type {}", value.get_ref().type_str());
            let rule = "it must be a list, as [[tenant]]";
            return Err(ConfigError::value(&self.place(value.span()), "tenant", &found, rule));
        };
        array.iter().map(|item| self.tenant(item)).collect()
    }

    fn tenant(&self, value: &Item<'a>) -> Result<TenantConfig, ConfigError> {
        let (mut name, mut signing_secret, mut cohesivity) = (None, None, None);
        for (key, value) in self.table("tenant", value)? {
            match key.get_ref().as_ref() {
                "name" => name = Some(self.tenant_name(value)?),
                "signing_secret" => signing_secret = Some(self.signing_secret(value)?),
                "cohesivity" => cohesivity = Some(self.cohesivity(value)?),
                other => {
                    let known = ["name", "signing_secret", "cohesivity"];
                    let nearest = nearest(other, known.into_iter());
                    let place = self.place(key.span());
                    return Err(ConfigError::unknown(&place, &format!("tenant.{other}"), nearest));
                }
            }
        }
        let place = self.place(value.span());
        let name = name.ok_or_else(|| ConfigError::missing(&place, "tenant.name"))?;
        Ok(TenantConfig { name, signing_secret, cohesivity })
    }

    fn text<'v>(&self, key: &str, value: &'v Item<'a>) -> Result<&'v str, ConfigError> {
        value.get_ref().as_str().ok_or_else(|| {
            let found = format!("of type {}", value.get_ref().type_str());
            ConfigError::value(&self.place(value.span()), key, &found, "it must be a text")
        })
    }

    fn tenant_name(&self, value: &Item<'a>) -> Result<String, ConfigError> {
        let name = self.text("tenant.name", value)?;
        if tenant::is_name(name) {
            return Ok(name.to_owned());
        }
        let rule = "it must be 1 to 64 of a-z, 0-9, - and _";
        let found = super::value::quoted(name);
        Err(ConfigError::value(&self.place(value.span()), "tenant.name", &found, rule))
    }

    fn signing_secret(&self, value: &Item<'a>) -> Result<SigningSecret, ConfigError> {
        let text = self.text("tenant.signing_secret", value)?;
        SigningSecret::parse(text).ok_or_else(|| {
            let found = format!("{} characters", text.chars().count());
            let rule = "it must be 64 hexadecimal digits (openssl rand -hex 32 makes one)";
            let place = self.place(value.span());
            ConfigError::value(&place, "tenant.signing_secret", &found, rule)
        })
    }

    fn cohesivity(&self, value: &Item<'a>) -> Result<CohesivityKeys, ConfigError> {
        let (mut application_key, mut management_key) = (None, None);
        for (key, value) in self.table("tenant.cohesivity", value)? {
            match key.get_ref().as_ref() {
                "application_key" => {
                    let path = "tenant.cohesivity.application_key";
                    application_key =
                        Some(self.key(path, tenant::APPLICATION_KEY_PREFIX, value)?);
                }
                "management_key" => {
                    let path = "tenant.cohesivity.management_key";
                    management_key = Some(self.key(path, tenant::MANAGEMENT_KEY_PREFIX, value)?);
                }
                other => {
                    let nearest = nearest(other, ["application_key", "management_key"].into_iter());
                    let (place, name) =
                        (self.place(key.span()), format!("tenant.cohesivity.{other}"));
                    return Err(ConfigError::unknown(&place, &name, nearest));
                }
            }
        }
        let place = self.place(value.span());
        let missing = |key: &str| ConfigError::missing(&place, &format!("tenant.cohesivity.{key}"));
        Ok(CohesivityKeys {
            application_key: application_key.ok_or_else(|| missing("application_key"))?,
            management_key: management_key.ok_or_else(|| missing("management_key"))?,
        })
    }

    fn key(&self, path: &str, prefix: &str, value: &Item<'a>) -> Result<Secret, ConfigError> {
        let text = self.text(path, value)?;
        if tenant::is_key(text, prefix) {
            return Ok(Secret::new(text.to_owned()));
        }
        let found = format!("{} characters", text.chars().count());
        let rule = format!("it must be {prefix} and {} of a-z and 0-9", tenant::KEY_TAIL_BYTES);
        Err(ConfigError::value(&self.place(value.span()), path, &found, &rule))
    }
}
