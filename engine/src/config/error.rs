//! What can be wrong with a configuration, and what can go wrong while the node's secrets are kept.

use std::path::PathBuf;
use std::{fmt, io};

/// Where a value came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// A line of a file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// Why a node does not start with this configuration. Its text says where, what, and what would be right.
#[derive(Debug)]
pub enum ConfigError {
    /// The text is wrong: a value, a name, the syntax.
    Wrong {
        /// One line, lower case, for the operator.
        message: String,
    },
    /// A file or folder could not be read or written.
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The kernel gave no randomness for a key.
    Randomness {
        /// What it said.
        cause: String,
    },
}

impl ConfigError {
    pub(super) fn syntax(place: &Place, message: &str) -> Self {
        Self::Wrong { message: format!("{place}: {}", message.trim_end().replace('\n', ", ")) }
    }

    pub(super) fn unknown(place: &Place, name: &str, nearest: Option<&str>) -> Self {
        let hint = nearest.map_or_else(
            || "`stentor config default` lists every setting".to_owned(),
            |it| format!("did you mean `{it}`?"),
        );
        Self::Wrong { message: format!("{place}: unknown setting `{name}`; {hint}") }
    }

    pub(super) fn value(place: &Place, key: &str, value: &str, rule: &str) -> Self {
        Self::Wrong { message: format!("{place}: {key} is {value}; {rule}") }
    }

    pub(super) fn missing(place: &Place, key: &str) -> Self {
        Self::Wrong { message: format!("{place}: {key} is missing") }
    }

    pub(super) fn duplicate(key: &str, tenant: &str, other: &str) -> Self {
        let message = if tenant == other {
            format!("{key} \"{tenant}\" is given twice; each tenant has a name of its own")
        } else {
            format!(
                "{key} of tenant \"{tenant}\" is also that of \"{other}\"; no two tenants share one"
            )
        };
        Self::Wrong { message }
    }

    pub(super) fn io(operation: &'static str, path: impl Into<PathBuf>, cause: io::Error) -> Self {
        Self::Io { operation, path: path.into(), cause }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong { message } => f.write_str(message),
            Self::Io { operation, path, cause } => {
                write!(f, "{operation} {}: {cause}", path.display())
            }
            Self::Randomness { cause } => write!(f, "no randomness for a key: {cause}"),
        }
    }
}

impl std::error::Error for ConfigError {}
