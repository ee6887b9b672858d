//! How the process ends: a code of sysexits.h, and on standard error what happened and what to do next.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use engine::config::ConfigError;
use engine::operator::{Refused, Why};
use engine::reactor::ring::StartError;

/// The codes. `--help` lists them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Status {
    /// What was asked for was done.
    Done = 0,
    /// The command line is wrong.
    Usage = 64,
    /// The address is taken, or a server does not answer.
    Unavailable = 69,
    /// A fault of ours.
    Internal = 70,
    /// A file or a disk.
    Io = 74,
    /// The kernel denies io_uring, memory or a file.
    Denied = 77,
    /// The configuration, or a host that cannot run it.
    Configuration = 78,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Done => 0_u8,
            Status::Usage => 64,
            Status::Unavailable => 69,
            Status::Internal => 70,
            Status::Io => 74,
            Status::Denied => 77,
            Status::Configuration => 78,
        })
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the process ends.
    pub(crate) status: Status,
    /// What happened, in one line.
    pub(crate) message: String,
    /// What to do next, a line each.
    pub(crate) fixes: Vec<String>,
}

impl Failure {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), fixes: Vec::new() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Status::Usage, message).fix("stentor --help")
    }

    pub(crate) fn io(message: impl Into<String>) -> Self {
        Self::new(Status::Io, message)
    }

    /// Adds a line on what to do next.
    pub(crate) fn fix(mut self, line: impl Into<String>) -> Self {
        self.fixes.push(line.into());
        self
    }

    /// Tells standard error and gives the code.
    pub(crate) fn report(&self) -> ExitCode {
        let mut text = format!("stentor: {}\n", self.message);
        for fix in &self.fixes {
            text.push_str("  try: ");
            text.push_str(fix);
            text.push('\n');
        }
        let _ = io::stderr().write_all(text.as_bytes()); // there is nowhere else to say it
        self.status.into()
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let message = error.to_string();
        match error {
            ConfigError::Wrong { .. } => Self::new(Status::Configuration, message),
            ConfigError::Io { cause, path, .. } => {
                if cause.kind() == io::ErrorKind::PermissionDenied {
                    Self::new(Status::Denied, message).fix(format!(
                        "give the user that runs stentor access to {}",
                        path.display()
                    ))
                } else if cause.kind() == io::ErrorKind::NotFound {
                    Self::new(Status::Configuration, message)
                        .fix("stentor config default > stentor.toml   writes a file to begin with")
                } else {
                    Self::io(message)
                }
            }
            ConfigError::Randomness { .. } => Self::new(Status::Internal, message),
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let status = match refused.why {
            Why::Asked => Status::Usage,
            Why::Disk => Status::Io,
            Why::Away => Status::Unavailable,
        };
        Self::new(status, refused.message)
    }
}

impl From<&StartError> for Failure {
    fn from(error: &StartError) -> Self {
        let status = match error {
            StartError::Listen { address, cause } => return cannot_listen(*address, cause),
            StartError::Disabled { .. }
            | StartError::Denied { .. }
            | StartError::Memory { .. }
            | StartError::Descriptors { .. } => Status::Denied,
            StartError::Kernel { .. } => Status::Configuration,
            StartError::Io { .. } => Status::Io,
        };
        Self::new(status, error.to_string()).fix("stentor doctor   tells all that this host allows")
    }
}

/// Why an address cannot be listened on, and where to listen instead.
pub(crate) fn cannot_listen(address: SocketAddr, cause: &io::Error) -> Failure {
    let message = format!("listen on {address}: {cause}");
    let is = |kind| cause.kind() == kind;
    if is(io::ErrorKind::AddrInUse) {
        Failure::new(Status::Unavailable, message)
            .fix(format!("ss -ltnp 'sport = :{}'   shows who has it", address.port()))
            .fix("stentor serve --listen 127.0.0.1:0   takes a free port")
    } else if is(io::ErrorKind::PermissionDenied) {
        Failure::new(Status::Denied, message)
            .fix("a port from 1024 on, or the capability CAP_NET_BIND_SERVICE")
    } else if is(io::ErrorKind::AddrNotAvailable) {
        Failure::new(Status::Configuration, message)
            .fix("ip address   shows the addresses of this host")
    } else {
        Failure::io(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_the_one_that_help_names() {
        let all = [
            Status::Done,
            Status::Usage,
            Status::Unavailable,
            Status::Internal,
            Status::Io,
            Status::Denied,
            Status::Configuration,
        ];
        for status in all {
            let code = status as u8;
            assert_eq!(ExitCode::from(status), ExitCode::from(code));
            let help = super::super::command::build().render_long_help().to_string();
            assert!(help.contains(&format!("\n  {code:<4}")), "{code} in\n{help}");
        }
    }
}
