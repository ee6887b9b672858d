//! Looks names up, and lets through only addresses that deliveries may go to. What it lets through is what is connected to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::Scope;
use super::target::{EgressRules, Refusal};

/// Whom to ask for addresses.
#[derive(Clone, Debug, Default)]
pub enum Nameservers {
    /// What `/etc/resolv.conf` and `/etc/hosts` say.
    #[default]
    System,
    /// These servers alone.
    Listed(Vec<SocketAddr>),
}

/// How long an answer is used again, should it say that it may: names of receivers move.
const ANSWER_AGE_MAX: Duration = Duration::from_secs(10);
/// How long it is remembered that there is none.
const ABSENCE_AGE_MAX: Duration = Duration::from_secs(1);
/// Questions under way.
const QUESTIONS_MAX: usize = 512;

/// See the module.
pub(super) struct Guard {
    resolver: TokioResolver,
    rules: Arc<EgressRules>,
}

/// Why there is no address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Absence {
    /// None, or nobody who knows.
    Unknown,
    /// One that is not allowed.
    Refused(Refusal),
}

impl Guard {
    pub(super) fn new(
        servers: &Nameservers,
        rules: Arc<EgressRules>,
        timeout_ms: u64,
    ) -> io::Result<Self> {
        let mut builder = match servers {
            Nameservers::System => TokioResolver::builder_tokio().unwrap_or_else(|why| {
                // resolv.conf(5): without it the server is on this host.
                tracing::warn!("no nameserver is set up, so webhooks ask 127.0.0.1: {why}");
                asking(vec![NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into())])
            }),
            Nameservers::Listed(addresses) => asking(addresses.iter().map(server).collect()),
        };
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.positive_max_ttl = Some(ANSWER_AGE_MAX);
        options.negative_max_ttl = Some(ABSENCE_AGE_MAX);
        options.max_active_requests = QUESTIONS_MAX;
        options.attempts = 1;
        options.timeout = Duration::from_millis(timeout_ms) / 2;
        Ok(Self { resolver: builder.build().map_err(io::Error::other)?, rules })
    }

    /// Every address of a name, if each of them is allowed.
    pub(super) async fn look_up(&self, name: &str) -> Result<Vec<(IpAddr, Scope)>, Absence> {
        let found = self.resolver.lookup_ip(name).await.map_err(|_| Absence::Unknown)?;
        let scoped =
            |it: IpAddr| self.rules.scope(it).map(|scope| (it, scope)).map_err(Absence::Refused);
        let all = found.iter().map(scoped).collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() { Err(Absence::Unknown) } else { Ok(all) }
    }
}

fn asking(servers: Vec<NameServerConfig>) -> ResolverBuilder<TokioRuntimeProvider> {
    let config = ResolverConfig::from_name_servers(servers);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut it| {
        it.port = address.port();
        it
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

/// The guard as the client asks it, for each new connection.
pub(super) struct Gate {
    guard: Arc<Guard>,
    /// Whether only private addresses will do: where there is no TLS.
    is_private_only: bool,
}

impl Gate {
    pub(super) fn new(guard: &Arc<Guard>, is_private_only: bool) -> Arc<Self> {
        Arc::new(Self { guard: Arc::clone(guard), is_private_only })
    }
}

impl Resolve for Gate {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, is_private_only) = (Arc::clone(&self.guard), self.is_private_only);
        Box::pin(async move {
            let found = guard.look_up(name.as_str()).await.map_err(|absence| match absence {
                Absence::Refused(why) => why.into(),
                Absence::Unknown => Box::<dyn std::error::Error + Send + Sync>::from(NoAddress),
            })?;
            if is_private_only && found.iter().any(|(_, scope)| *scope == Scope::Public) {
                return Err(Refusal::Scheme.into());
            }
            let addresses = found.into_iter().map(|(address, _)| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// A name has no address.
#[derive(Debug)]
pub(super) struct NoAddress;

impl std::fmt::Display for NoAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name has no address")
    }
}

impl std::error::Error for NoAddress {}
