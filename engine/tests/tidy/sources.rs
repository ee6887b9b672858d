//! What the Rust files say.

use engine::config::SETTINGS;

use crate::workspace::{Text, Workspace, has_word};

const FILE_LINES_MAX: usize = 400;

/// Files that are still longer, with their length: it may only shrink.
const LONG_FILES: &[(&str, usize)] = &[];

/// A word, the folders it may not appear in, the exceptions, and why.
struct Banned {
    word: &'static str,
    folders: &'static [&'static str],
    except: &'static [&'static str],
    reason: &'static str,
}

const OURS: &[&str] = &["protocol/src/", "storage/src/", "engine/src/", "loadtest/src/"];
const CLOCKS: &[&str] = &["engine/src/reactor/", "loadtest/src/"];

const RIM: &[&str] = &["engine/src/reactor/", "engine/src/side/"];

const BANNED: &[Banned] = &[
    Banned {
        word: "Instant::now",
        folders: OURS,
        except: CLOCKS,
        reason: "time is an argument (invariant 9)",
    },
    Banned {
        word: "SystemTime::now",
        folders: OURS,
        except: &["engine/src/reactor/", "loadtest/src/", "engine/src/cli/"],
        reason: "time is an argument (invariant 9)",
    },
    Banned {
        word: "async fn",
        folders: OURS,
        except: RIM,
        reason: "only the reactor and the side threads wait",
    },
    Banned {
        word: "async move",
        folders: OURS,
        except: RIM,
        reason: "only the reactor and the side threads wait",
    },
    Banned {
        word: "Mutex",
        folders: OURS,
        except: &[],
        reason: "shards share nothing; send a message (invariant 1)",
    },
    Banned {
        word: "RwLock",
        folders: OURS,
        except: &[],
        reason: "shards share nothing; send a message (invariant 1)",
    },
    Banned {
        word: "tokio",
        folders: OURS,
        except: &["engine/src/side/"],
        reason: "a core never runs it",
    },
    Banned { word: "todo!", folders: &[""], except: SELF, reason: "finish it or file it" },
    Banned { word: "unimplemented!", folders: &[""], except: SELF, reason: "finish it or file it" },
    Banned { word: "dbg!", folders: &[""], except: SELF, reason: "take it out again" },
    Banned { word: "#[ignore", folders: &[""], except: SELF, reason: "a test runs, or is deleted" },
    Banned { word: "topic", folders: OURS, except: &[], reason: "say channel" },
    Banned { word: "mailbox", folders: OURS, except: &[], reason: "say outbox or lane" },
    Banned { word: "Manager", folders: OURS, except: &[], reason: "say hub or broker" },
    Banned { word: "Helper", folders: OURS, except: &[], reason: "say what it does" },
];

/// This test names the words.
const SELF: &[&str] = &["engine/tests/tidy/"];

/// Marks of unfinished work, in code and comments alike.
const MARKS: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Settings of rooms that are not built yet. It may only shrink.
const NOT_YET_READ: &[&str] = &[];

/// Files that begin without `//!` or are too long.
pub(crate) fn shape(workspace: &Workspace) -> Vec<String> {
    let mut faults = Vec::new();
    for Text { path, text } in workspace.rust() {
        if !text.starts_with("//!") {
            faults.push(format!("{path}: begins without saying what it is for (`//! …`)"));
        }
        let lines = text.lines().count();
        match LONG_FILES.iter().find(|(long, _)| long == path) {
            Some((_, known)) if lines > *known => {
                faults.push(format!("{path}: {lines} lines; it had {known} and may only shrink"));
            }
            Some(_) if lines <= FILE_LINES_MAX => {
                faults.push(format!("{path}: short enough; take it off the list"));
            }
            None if lines > FILE_LINES_MAX => {
                faults.push(format!(
                    "{path}: {lines} of {FILE_LINES_MAX} lines; split it by meaning"
                ));
            }
            Some(_) | None => {}
        }
    }
    faults
}

/// Words where they do not belong.
pub(crate) fn words(workspace: &Workspace) -> Vec<String> {
    let mut faults = Vec::new();
    for file in workspace.rust() {
        let rules = BANNED.iter().filter(|it| file.is_in(it.folders) && !file.is_in(it.except));
        for Banned { word, reason, .. } in rules {
            let found = file.code().filter(|(_, line)| has_word(line, word));
            faults.extend(found.map(|(at, _)| format!("{}:{at}: `{word}`: {reason}", file.path)));
        }
        for mark in MARKS.iter().filter(|_| !file.is_in(SELF)) {
            let lines = file.text.lines().enumerate();
            let found = lines.filter(|(_, line)| has_word(line, mark));
            faults.extend(found.map(|(index, _)| {
                format!("{}:{}: `{mark}`: finish it or file it", file.path, index + 1)
            }));
        }
    }
    faults
}

/// Paths that lead out of the repository.
pub(crate) fn outside(workspace: &Workspace) -> Vec<String> {
    let mut faults = Vec::new();
    for file in workspace.texts().filter(|it| !it.is_in(SELF)) {
        for word in ["../shared", "/work/"] {
            if let Some(index) = file.text.lines().position(|line| line.contains(word)) {
                faults.push(format!("{}:{}: `{word}` is not here", file.path, index + 1));
            }
        }
    }
    faults
}

/// Files outside the command line that call the load test.
pub(crate) fn load_test_callers(workspace: &Workspace) -> Vec<String> {
    let allowed =
        ["engine/src/main.rs", "engine/src/cli/", "engine/tests/chaos/", "loadtest/", "benches/"];
    let others = workspace.rust().filter(|it| !it.is_in(&allowed) && !it.is_in(SELF));
    let calls =
        |file: &Text| file.code().find(|(_, line)| line.contains("loadtest::")).map(|it| it.0);
    others
        .filter_map(|file| Some(format!("{}:{}: calls the load test", file.path, calls(file)?)))
        .collect()
}

/// Settings that nothing reads: a limit that limits nothing is a lie.
pub(crate) fn unread_settings(workspace: &Workspace) -> Vec<String> {
    let table = "engine/src/config/table.rs";
    let only_names = [table, "engine/src/config/consistency.rs"];
    let ours: Vec<&Text> =
        workspace.rust().filter(|it| it.is_in(OURS) && !it.is_in(&only_names)).collect();
    let is_read = |key: &str| {
        let is_field = |line: &str| line.contains(&format!(".{key}")) && has_word(line, key);
        ours.iter().any(|it| it.code().any(|(_, line)| is_field(line)))
    };
    let mut faults = Vec::new();
    for setting in SETTINGS {
        let path = setting.path();
        let is_excused = NOT_YET_READ.contains(&path.as_str());
        match (is_read(setting.key), is_excused) {
            (true, false) | (false, true) => {}
            (false, false) => faults.push(format!("{table}: {path} is read nowhere")),
            (true, true) => faults.push(format!("tidy: {path} is read; take it off the list")),
        }
    }
    faults
}
