//! The progress bar, and the signal that ends a run early.

use crate::failure::Failure;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const REDRAW_NS: u64 = 200_000_000;
const TEMPLATE: &str = "{prefix:9} {wide_bar:.cyan} {msg}";

/// Whether there is a progress bar. It shows itself on a terminal only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// On standard error, if that is a terminal.
    Bar,
    /// None.
    Hidden,
}

/// Shows how far a run is, and notices when it is to stop.
#[derive(Debug)]
pub(crate) struct Watch {
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
    next_ns: u64,
}

impl Watch {
    /// Begins to listen for SIGINT and SIGTERM.
    pub(crate) fn new(progress: Progress) -> Result<Self, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stop))
                .map_err(Failure::io("cannot listen for signals"))?;
        }
        let target = match progress {
            Progress::Bar => ProgressDrawTarget::stderr(),
            Progress::Hidden => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Ok(Self { bar, stop, next_ns: 0 })
    }

    /// Shows how many connections are open.
    pub(crate) fn opening(&mut self, now_ns: u64, open: usize, all: usize) -> Result<(), Failure> {
        self.show(now_ns, "opening", (open as u64, all as u64), || format!("{open} of {all}"))
    }

    /// Shows a part of the run with a message of its own.
    pub(crate) fn show(
        &mut self,
        now_ns: u64,
        what: &'static str,
        (done, all): (u64, u64),
        message: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if now_ns < self.next_ns {
            return Ok(());
        }
        self.next_ns = now_ns + REDRAW_NS;
        self.go_on()?;
        if !self.bar.is_hidden() {
            self.bar.set_prefix(what);
            self.bar.set_length(all.max(1));
            self.bar.set_position(done.min(all));
            self.bar.set_message(message());
        }
        Ok(())
    }

    /// Fails once a signal asked to stop.
    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        if self.stop.load(Ordering::Relaxed) { Err(Failure::Interrupted) } else { Ok(()) }
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
