//! A URL that deliveries may go to, and the rules that decide it: once when it is set, and again at each attempt.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use reqwest::Url;

use super::address::{Scope, scope};

const URL_BYTES_MAX: usize = 2_048;

/// Where deliveries may go. A public target takes TLS and one of the ports; a private one, where it is allowed, anything.
#[derive(Clone, Debug)]
pub struct EgressRules {
    /// Whether they may go to this host and the networks around it.
    pub private: Private,
    /// Ports of public targets.
    pub ports: Vec<u16>,
}

/// What becomes of private targets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Private {
    /// Deliveries go there.
    Allowed,
    /// They do not.
    Refused,
}

impl Default for EgressRules {
    fn default() -> Self {
        Self { private: Private::Refused, ports: vec![443] }
    }
}

/// A URL in the form that is called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    url: Url,
    host: Host,
    port: u16,
    is_tls: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Host {
    Name(Box<str>),
    Address(IpAddr),
}

/// Why deliveries do not go to a URL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// It is no URL with a host.
    Syntax,
    /// It is too long.
    Length {
        /// Its bytes.
        bytes: usize,
    },
    /// It has a user or a password.
    Credentials,
    /// Its scheme is neither `https` nor, for a private target, `http`.
    Scheme,
    /// Its port is not one of those of public targets.
    Port {
        /// The port.
        port: u16,
    },
    /// An address is private, and private targets are not allowed.
    Private,
    /// An address is never allowed.
    Address,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => f.write_str("must be a URL, as https://example.com/hook"),
            Self::Length { bytes } => {
                write!(f, "URL is too long: {bytes} of {URL_BYTES_MAX} bytes")
            }
            Self::Credentials => f.write_str("URL must have no user and no password"),
            Self::Scheme => f.write_str("URL must begin with https://"),
            Self::Port { port } => write!(f, "port {port} is not in webhooks.ports"),
            Self::Private => f.write_str(
                "host is private; webhooks.allow_private_targets lets deliveries go there",
            ),
            Self::Address => f.write_str("host has an address that no delivery may go to"),
        }
    }
}

impl std::error::Error for Refusal {}

impl EgressRules {
    /// Reads a URL. What only the addresses of its name can tell is told by [`EgressRules::check`].
    ///
    /// # Errors
    /// When deliveries may not go there.
    pub fn target(&self, text: &str) -> Result<Target, Refusal> {
        if text.len() > URL_BYTES_MAX {
            return Err(Refusal::Length { bytes: text.len() });
        }
        // What the parser would drop in silence is a mistake, or worse.
        if text.chars().any(|it| it.is_control() || it.is_whitespace()) {
            return Err(Refusal::Syntax);
        }
        let mut url = Url::parse(text).map_err(|_| Refusal::Syntax)?;
        url.set_fragment(None);
        let is_tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(Refusal::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials);
        }
        let host = host(&url).ok_or(Refusal::Syntax)?;
        let port = url.port_or_known_default().ok_or(Refusal::Syntax)?;
        let target = Target { url, host, port, is_tls };
        match target.host {
            Host::Address(address) => self.check(&target, &[address])?,
            Host::Name(_) if self.private == Private::Refused => self.check_public(&target)?,
            Host::Name(_) => {}
        }
        Ok(target)
    }

    /// Whether a delivery may go to a target that has these addresses: all of them must be allowed.
    ///
    /// # Errors
    /// For the first that is not.
    pub fn check(&self, target: &Target, addresses: &[IpAddr]) -> Result<(), Refusal> {
        for address in addresses {
            match self.scope(*address)? {
                Scope::Public => self.check_public(target)?,
                Scope::Private | Scope::Forbidden => {}
            }
        }
        Ok(())
    }

    /// What an address is, if a delivery may go there at all.
    pub(super) fn scope(&self, address: IpAddr) -> Result<Scope, Refusal> {
        match (scope(address), self.private) {
            (Scope::Forbidden, _) => Err(Refusal::Address),
            (Scope::Private, Private::Refused) => Err(Refusal::Private),
            (allowed, _) => Ok(allowed),
        }
    }

    fn check_public(&self, target: &Target) -> Result<(), Refusal> {
        if !target.is_tls {
            return Err(Refusal::Scheme);
        }
        let port = target.port;
        if self.ports.contains(&port) { Ok(()) } else { Err(Refusal::Port { port }) }
    }
}

/// The host. Numbers in any form (decimal, octal, hexadecimal, short) are addresses by now: the parser follows the URL Standard.
fn host(url: &Url) -> Option<Host> {
    let text = url.host_str().filter(|it| !it.is_empty())?;
    let inner = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    if let Some(inner) = inner {
        return inner.parse::<Ipv6Addr>().ok().map(|it| Host::Address(it.into()));
    }
    Some(text.parse().map_or_else(|_| Host::Name(text.into()), Host::Address))
}

impl Target {
    /// The URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether it takes TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The name to look up, or the address that it has.
    pub(super) fn name(&self) -> Result<&str, IpAddr> {
        match &self.host {
            Host::Name(name) => Ok(name),
            Host::Address(address) => Err(*address),
        }
    }
}
