//! The files of the workspace, as the rules look at them.

use std::fs;
use std::path::{Path, PathBuf};

/// The crates, in the order of the arrows.
pub(crate) const CRATES: [&str; 6] =
    ["protocol", "storage", "engine", "loadtest", "benches", "xtask"];

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 6] =
    [".git", "target", "node_modules", "stentor-data", "corpus", "__pycache__"];

/// A file that was read.
pub(crate) struct Text {
    /// From the root, as `engine/src/lib.rs`.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) text: String,
}

/// Every text of the repository.
pub(crate) struct Workspace {
    root: PathBuf,
    texts: Vec<Text>,
}

impl Workspace {
    /// Reads it.
    pub(crate) fn find() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf();
        let mut texts = Vec::new();
        read_folder(&root, &root, &mut texts);
        texts.sort_by(|one, other| one.path.cmp(&other.path));
        assert!(texts.len() > 50, "the workspace is at {}", root.display());
        Self { root, texts }
    }

    /// All texts.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &Text> {
        self.texts.iter()
    }

    /// The Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &Text> {
        self.texts.iter().filter(|it| it.path.ends_with(".rs"))
    }

    /// One file.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_default()
    }
}

fn read_folder(root: &Path, folder: &Path, texts: &mut Vec<Text>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            read_folder(root, &path, texts);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root).unwrap().display().to_string();
            texts.push(Text { path, text });
        }
    }
}

impl Text {
    /// Its lines without comments, numbered from 1, up to the tests at its end.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.text.find("\n#[cfg(test)]").unwrap_or(self.text.len());
        let code = self.text.get(..tests).unwrap_or_default();
        code.lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Whether it lies in one of these folders, or is one of these files.
    pub(crate) fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|it| self.path.starts_with(it))
    }
}

/// Whether `word` stands in `line` as a word of its own.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || char == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|it| it.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|it| it.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}
