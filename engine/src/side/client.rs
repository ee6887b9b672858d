//! The HTTP client. It follows no redirect, uses no proxy of the environment, and its errors are told as faults that name nothing.

use std::time::Duration;

use protocol::Rejection;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder};

/// Connections to one server that stay open without a call.
const IDLE_PER_HOST_MAX: usize = 32;

/// Why a call of another server came to nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// It cannot be reached, or it broke off.
    Failed,
    /// It took too long.
    TimedOut,
}

impl Fault {
    /// The fault alone: the text of an error may have the URL in it, which is the operator's business.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() { Self::TimedOut } else { Self::Failed }
    }

    /// What the caller hears.
    pub(super) fn rejection(self, upstream: &'static str) -> Rejection {
        match self {
            Self::Failed => Rejection::UpstreamFailed { upstream },
            Self::TimedOut => Rejection::UpstreamTimedOut { upstream },
        }
    }
}

/// Certificates whose signatures other servers may have, beside the authorities of the system.
#[derive(Clone, Default)]
pub struct Authorities(Vec<Certificate>);

impl Authorities {
    /// Reads them from a text of PEM blocks.
    ///
    /// # Errors
    /// When there is none in it, or one that is broken.
    pub fn parse(pem: &[u8]) -> Result<Self, &'static str> {
        match Certificate::from_pem_bundle(pem) {
            Ok(list) if list.is_empty() => Err("no certificate is in it"),
            Ok(list) => Ok(Self(list)),
            Err(_) => Err("it is not a list of certificates in PEM"),
        }
    }
}

/// Makes the client of the node.
pub(super) fn client(
    connect_timeout_ms: u64,
    authorities: &Authorities,
) -> Result<Client, reqwest::Error> {
    let own = || authorities.0.iter().cloned();
    let builder = || -> ClientBuilder {
        Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .http1_only()
            .connect_timeout(Duration::from_millis(connect_timeout_ms))
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
    };
    builder().tls_certs_merge(own()).build().or_else(|_| {
        // Where the system has no certificates, servers without TLS can still be called.
        tracing::warn!(
            "no certificates of authorities on this system: of https servers only those can be called that upstream_ca_file vouches for"
        );
        builder().tls_certs_only(own()).build()
    })
}
