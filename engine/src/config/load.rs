//! Puts the sources together: defaults, then the file, then the environment, then flags.

use std::fmt;
use std::path::PathBuf;

use super::error::{ConfigError, Place};
use super::setting::{Kind, PREFIX, Setting};
use super::table::{Config, SETTINGS};
use super::value::JournalKind;
use super::{file, tenant, tier};

/// The variable that names the file, where no flag does.
const CONFIG_VARIABLE: &str = "STENTOR_CONFIG";
/// Variables of ours that are no settings: the file, and the key that `stentor bench` takes.
const OTHER_VARIABLES: [&str; 3] = [CONFIG_VARIABLE, "STENTOR_BENCH_KEY", "STENTOR_PUBLISH_KEY"];
/// How alike two names must be for one to be offered for the other, from 0 to 1.
const LIKENESS_MIN: f64 = 0.5;

/// Everything that a configuration is read from. The process hands it in, so that tests need no environment.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file, if the command line names one.
    pub file: Option<PathBuf>,
    /// The whole environment; what does not begin with `STENTOR_` is ignored.
    pub environment: Vec<(String, String)>,
    /// Flags that were given, each with its row.
    pub flags: Vec<(&'static Setting, String)>,
}

/// Who set a value last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// Nobody.
    Default,
    /// A line of the file.
    File {
        /// Counted from 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment,
    /// A flag.
    Flag,
    /// Another setting.
    Implied(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { line } => write!(f, "file, line {line}"),
            Self::Environment => f.write_str("environment"),
            Self::Flag => f.write_str("flag"),
            Self::Implied(by) => write!(f, "implied by {by}"),
        }
    }
}

/// A configuration, and where each of its values came from.
#[derive(Clone)]
pub struct Loaded {
    /// What the node runs with.
    pub config: Config,
    /// The file that was read.
    pub file: Option<PathBuf>,
    pub(super) origins: Vec<Origin>,
}

impl Sources {
    /// The sources of this process: its environment, and what its command line gave.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(&'static Setting, String)>) -> Self {
        let readable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        };
        Self { file, environment: std::env::vars_os().filter_map(readable).collect(), flags }
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    /// For the first thing that is wrong: an unknown name, a value outside its range, settings that contradict each other.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let named = self.environment.iter().find(|(name, _)| name == CONFIG_VARIABLE);
        let path = self.file.clone().or_else(|| named.map(|(_, value)| PathBuf::from(value)));
        let mut loaded = Loaded {
            config: Config::default(),
            file: path.clone(),
            origins: vec![Origin::Default; SETTINGS.len()],
        };
        if let Some(path) = path {
            file::read(&path, &mut loaded)?;
        }
        loaded.read_environment(&self.environment)?;
        for (setting, value) in &self.flags {
            loaded.assign(setting, value, &Place::Flag(setting.flag()))?;
        }
        loaded.imply();
        super::consistency::check(&loaded.config)?;
        tenant::check_unique(&loaded.config.tenants)?;
        tier::check(&loaded.config)?;
        Ok(loaded)
    }
}

impl Loaded {
    /// Who set this setting last.
    #[must_use]
    pub fn origin(&self, setting: &Setting) -> &Origin {
        let mut rows = SETTINGS.iter().zip(&self.origins);
        rows.find(|(row, _)| std::ptr::eq(*row, setting)).map_or(&Origin::Default, |(_, it)| it)
    }

    /// Takes one value from one place.
    pub(super) fn assign(
        &mut self,
        setting: &Setting,
        text: &str,
        place: &Place,
    ) -> Result<(), ConfigError> {
        let wrong =
            |rule: &str| ConfigError::value(place, &setting.path(), &shown(setting, text), rule);
        if let Kind::Number { min, max, .. } = setting.kind {
            let in_range = text.parse().is_ok_and(|it: u64| (min..=max).contains(&it));
            if !in_range {
                return Err(wrong(&format!("it must be {}", setting.range())));
            }
        }
        (setting.assign)(&mut self.config, text).map_err(|rule| wrong(&format!("it {rule}")))?;
        let origin = match place {
            Place::File { line, .. } => Origin::File { line: *line },
            Place::Variable(_) => Origin::Environment,
            Place::Flag(_) => Origin::Flag,
        };
        self.set_origin(setting.section, setting.key, origin);
        Ok(())
    }

    fn read_environment(&mut self, environment: &[(String, String)]) -> Result<(), ConfigError> {
        let is_setting = |name: &str| name.starts_with(PREFIX) && !OTHER_VARIABLES.contains(&name);
        let mut ours: Vec<_> = environment.iter().filter(|(name, _)| is_setting(name)).collect();
        ours.sort();
        for (name, value) in ours {
            let place = Place::Variable(name.clone());
            match SETTINGS.iter().find(|it| it.variable() == *name) {
                Some(setting) => self.assign(setting, value, &place)?,
                None => {
                    let names: Vec<_> = SETTINGS.iter().map(Setting::variable).collect();
                    let nearest = nearest(name, names.iter().map(String::as_str));
                    return Err(ConfigError::unknown(&place, name, nearest));
                }
            }
        }
        Ok(())
    }

    fn imply(&mut self) {
        if self.config.server.ephemeral {
            self.config.storage.journal = JournalKind::Memory;
            self.set_origin("storage", "journal", Origin::Implied("server.ephemeral"));
        }
    }

    fn set_origin(&mut self, section: &str, key: &str, origin: Origin) {
        let is_it = |row: &Setting| row.section == section && row.key == key;
        let rows = SETTINGS.iter().zip(&mut self.origins);
        for (_, slot) in rows.filter(|(row, _)| is_it(row)) {
            *slot = origin;
        }
    }
}

/// The value as an operator wrote it, quoted where it is a text.
fn shown(setting: &Setting, text: &str) -> String {
    match setting.kind {
        Kind::Number { .. } if text.parse::<i128>().is_ok() => text.to_owned(),
        Kind::Switch if text.parse::<bool>().is_ok() => text.to_owned(),
        Kind::Secret(_) => format!("{} characters", text.chars().count()),
        Kind::Number { .. } | Kind::Switch | Kind::Text(_) | Kind::Choice(_) => {
            super::value::quoted(text)
        }
    }
}

/// The known name that is most like a wrong one.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|it| (strsim::normalized_damerau_levenshtein(name, it), it))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, it)| it)
}
