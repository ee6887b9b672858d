//! Log lines: text for a terminal, JSON for everything else, on standard error.

use std::io::{self, IsTerminal as _};

use engine::config::{LogFormat, LogLevel, ServerConfig};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Sends log lines to standard error from now on.
pub(crate) fn start(server: &ServerConfig) {
    let level = match server.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let is_terminal = io::stderr().is_terminal();
    let is_text = match server.log_format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let lines = fmt().with_max_level(level).with_writer(io::stderr).with_ansi(is_terminal);
    // Else a log reader that goes away makes the next line a panic.
    let lines = lines.log_internal_errors(false);
    // What it traces while its threads end finds no memory to write a line in, and would end the process.
    let sled = level.min(LevelFilter::DEBUG);
    let targets = Targets::new().with_default(level).with_target("sled", sled);
    if is_text {
        lines.with_target(false).finish().with(targets).init();
    } else {
        lines.json().flatten_event(true).finish().with(targets).init();
    }
}
