//! Reads a TOML file into the table's settings and the tenants, and knows on which line it stands.

use std::fs;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};
use super::load::{Loaded, nearest};
use super::secret::SigningSecret;
use super::setting::Setting;
use super::table::SETTINGS;
use super::tenant::TenantConfig;

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
        if name == "tiers" {
            loaded.config.tiers = source.tiers(value)?;
            continue;
        }
        let place = source.place(key.span());
        if !SETTINGS.iter().any(|it| it.section == name) {
            let sections = SETTINGS.iter().map(|it| it.section).chain(["tenant", "tiers"]);
            return Err(ConfigError::unknown(&place, name, nearest(name, sections)));
        }
        source.section(name, source.table(name, value)?, loaded)?;
    }
    Ok(())
}

/// Reads a file that holds only tenants: what [`super::provision`] keeps in the data directory.
pub(crate) fn read_tenants(path: &Path) -> Result<Vec<TenantConfig>, ConfigError> {
    Ok(read_secrets(path)?.1)
}

/// Reads a file of tenants that may have the secret of the node as well.
pub(super) fn read_secrets(
    path: &Path,
) -> Result<(Option<SigningSecret>, Vec<TenantConfig>), ConfigError> {
    let text = contents(path)?;
    let source = Source { path, text: &text };
    let document = source.parse()?;
    let table = document.get_ref();
    let node = table.get("node_secret").map(|it| source.hex_secret("node_secret", it));
    let tenants = table.get("tenant").map(|it| source.tenants(it));
    Ok((node.transpose()?, tenants.transpose()?.unwrap_or_default()))
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
pub(super) struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

pub(super) type Table<'a> = DeTable<'a>;
pub(super) type Item<'a> = Spanned<DeValue<'a>>;

impl<'a> Source<'a> {
    fn parse(&self) -> Result<Spanned<Table<'a>>, ConfigError> {
        DeTable::parse(self.text).map_err(|error| {
            let place = self.place(error.span().unwrap_or_default());
            ConfigError::syntax(&place, error.message())
        })
    }

    /// Where the file is: paths in it begin there.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new(""))
    }

    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Place::File { path: self.path.to_path_buf(), line }
    }

    pub(super) fn table<'v>(
        &self,
        name: &str,
        value: &'v Item<'a>,
    ) -> Result<&'v Table<'a>, ConfigError> {
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
}
