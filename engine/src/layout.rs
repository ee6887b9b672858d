//! What of a data directory must not change under a node: the number of shards, which decides where a channel's messages are.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

const FILE: &str = "layout";

/// Why a data directory cannot be used.
#[derive(Debug)]
pub enum LayoutError {
    /// It was made for another number of shards.
    Shards {
        /// What it was made for.
        made: u16,
        /// What was asked for.
        asked: u16,
    },
    /// The layout file says something else.
    Unreadable {
        /// What it says.
        text: String,
    },
    /// The file cannot be read or written.
    Io {
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        cause: io::Error,
    },
}

impl std::fmt::Display for LayoutError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shards { made, asked } => write!(
                f,
                "the data directory was made for {made} shards, not for {asked}: start with `--shards {made}` or `--shards 0`"
            ),
            Self::Unreadable { text } => {
                write!(f, "the layout file of the data directory says `{text}`")
            }
            Self::Io { operation, cause } => write!(f, "{operation} the layout file: {cause}"),
        }
    }
}

impl std::error::Error for LayoutError {}

/// Decides the number of shards: what the directory was made for; in a new one what is asked for, or else one for each core.
///
/// # Errors
/// When another number is asked for, or the directory cannot be read or written.
pub fn settle_shards(dir: &Path, asked: u16, cores: u16) -> Result<u16, LayoutError> {
    let path = dir.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            let shards = if asked == 0 { cores.max(1) } else { asked };
            write(dir, shards).map_err(|cause| LayoutError::Io { operation: "write", cause })?;
            return Ok(shards);
        }
        Err(cause) => return Err(LayoutError::Io { operation: "read", cause }),
    };
    let made = text.strip_prefix("shards = ").and_then(|it| it.trim().parse().ok());
    let made = made.ok_or_else(|| LayoutError::Unreadable { text: text.trim().to_owned() })?;
    if asked != 0 && asked != made {
        return Err(LayoutError::Shards { made, asked });
    }
    Ok(made)
}

/// Durable before anything is written that depends on it.
fn write(dir: &Path, shards: u16) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let draft = dir.join("layout.new");
    let mut file = File::create(&draft)?;
    file.write_all(format!("shards = {shards}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, dir.join(FILE))?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_keeps_the_number_of_shards_it_was_made_for() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(settle_shards(dir.path(), 0, 3).unwrap(), 3);
        assert_eq!(settle_shards(dir.path(), 0, 8).unwrap(), 3);
        assert_eq!(settle_shards(dir.path(), 3, 8).unwrap(), 3);
        let refused = settle_shards(dir.path(), 2, 8).unwrap_err().to_string();
        assert!(refused.contains("made for 3 shards, not for 2"), "{refused}");
    }
}
