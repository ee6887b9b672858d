//! What a newcomer reads when a node has begun to listen: where it is, what it found, and two lines to copy.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use engine::config::{Config, Secrets, Tenant};

use super::exit::Failure;
use super::host::{Host, bytes_text, count_text, features_text};
use super::room;
use super::token::{Holder, issue};
use super::version::VERSION;

/// Who the banner's token is for.
const NEWCOMER: Holder<'static> =
    Holder { user_id: "newcomer", user_name: Some("Newcomer"), ttl_s: 3600 };
/// The channel of the lines to copy.
const CHANNEL: &str = "chat:hello";

/// Where a node on this machine is reached.
pub(crate) struct Urls {
    /// For HTTP.
    pub(crate) http: String,
    /// For WebSocket.
    pub(crate) ws: String,
}

impl Urls {
    /// The URLs of a listener. One that listens everywhere is reached at the loopback address.
    pub(crate) fn of(local: SocketAddr) -> Self {
        let ip = match local.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
        };
        let address = SocketAddr::new(ip, local.port());
        Self { http: format!("http://{address}"), ws: format!("ws://{address}") }
    }
}

/// What the banner tells of.
pub(crate) struct Facts<'a> {
    /// Where the node listens.
    pub(crate) local: SocketAddr,
    /// What it runs with.
    pub(crate) config: &'a Config,
    /// What it runs on.
    pub(crate) host: &'a Host,
    /// Shards that were started.
    pub(crate) shards: usize,
    /// Whom it serves.
    pub(crate) tenants: &'a [Tenant],
    /// Whether keys and the token are written out.
    pub(crate) secrets: Secrets,
}

/// The whole text.
pub(crate) fn text(facts: &Facts<'_>) -> Result<String, Failure> {
    let mut out = format!("stentor {VERSION}\n\n");
    node_lines(facts, &mut out);
    for tenant in facts.tenants {
        tenant_lines(tenant, facts.secrets, &mut out);
    }
    if let Some(tenant) = facts.tenants.iter().find(|it| it.cohesivity.is_some()) {
        first_steps(facts, tenant, &mut out)?;
    }
    Ok(out)
}

fn line(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "  {name:<16} {value}"); // a String takes everything
}

/// A long value, cut between words and indented.
fn wrapped(out: &mut String, name: &str, value: &str) {
    const COLUMNS: usize = 76;
    let mut rows = vec![String::new()];
    for word in value.split_inclusive(' ') {
        match rows.last_mut() {
            Some(row) if row.len() + word.len() <= COLUMNS => row.push_str(word),
            Some(_) | None => rows.push(word.to_owned()),
        }
    }
    for (index, row) in rows.iter().enumerate() {
        line(out, if index == 0 { name } else { "" }, row.trim_end());
    }
}

fn node_lines(facts: &Facts<'_>, out: &mut String) {
    let (config, host) = (facts.config, facts.host);
    let urls = Urls::of(facts.local);
    let data = if config.server.ephemeral {
        "nothing on disk (--ephemeral)".to_owned()
    } else {
        let journal = config.storage.journal.name();
        format!("{} (journal: {journal})", config.server.data_dir.display())
    };
    if let Ok(features) = &host.ring {
        line(out, "kernel", &features.release);
        wrapped(out, "io_uring", &features_text(features));
    }
    line(out, "shards", &format!("{} on {}", facts.shards, config.server.reactor.name()));
    line(out, "descriptors", &host.descriptors.text(count_text));
    line(out, "locked memory", &host.locked_memory.text(bytes_text));
    line(out, "memory", &room::memory_text(&room::memory(host, config)));
    line(out, "data", &data);
    line(out, "http", &urls.http);
    line(out, "websocket", &format!("{}/edge/realtime", urls.ws));
}

fn tenant_lines(tenant: &Tenant, secrets: Secrets, out: &mut String) {
    line(out, "tenant", &tenant.name);
    if let Some(keys) = &tenant.cohesivity {
        line(out, "application key", &secrets.text(&keys.application_key));
        line(out, "management key", &secrets.text(&keys.management_key));
    }
    if let Some(key) = &tenant.project_key {
        line(out, "Infrai key", &secrets.text(key));
    }
    if let Some(keys) = &tenant.insforge {
        line(out, "InsForge key", &secrets.text(&keys.api_key));
        line(out, "anon key", &keys.anon_key);
    }
}

fn first_steps(facts: &Facts<'_>, tenant: &Tenant, out: &mut String) -> Result<(), Failure> {
    let Some(keys) = &tenant.cohesivity else { return Ok(()) };
    if facts.secrets == Secrets::Masked {
        let hint = "Keys and a client token are shown on a terminal, or with --print-secrets.";
        let _ = writeln!(out, "\n{hint}"); // a String takes everything
        return Ok(());
    }
    let urls = Urls::of(facts.local);
    let token = issue(tenant, &NEWCOMER)?;
    let key = keys.application_key.reveal();
    line(
        out,
        "client token",
        &format!("{token}\n{:19}(user {}, for one hour)", "", NEWCOMER.user_id),
    );
    let _ = write!(
        out,
        "\nListen, with any WebSocket client:\n  {}/edge/realtime?channel={CHANNEL}&token={token}\n\
         \nPublish, from another terminal:\n  curl '{}/edge/realtime?key={key}' \\\n    \
         --json '{{\"channel\":\"{CHANNEL}\",\"data\":{{\"text\":\"hello\"}}}}'\n\n",
        urls.ws, urls.http,
    );
    if let Some(key) = &tenant.project_key {
        let _ = write!(
            out,
            "The same as a call of Infrai:\n  curl {}/v1/realtime/publish -H 'Authorization: Bearer {}' \\\n    \
             --json '{{\"channel\":\"{CHANNEL}\",\"event\":\"message\",\"data\":{{\"text\":\"hello\"}}}}'\n\n",
            urls.http,
            key.reveal(),
        );
    }
    if let Some(keys) = &tenant.insforge {
        let (http, ws, anon_key) = (&urls.http, &urls.ws, &keys.anon_key);
        let _ = write!(
            out,
            "InsForge has the channels that a pattern names:\n  curl {http}/api/realtime/channels -H 'X-API-Key: {}' \\\n    \
             --json '{{\"pattern\":\"chat:%\"}}'\n\
             then in a page, with its SDK or Socket.IO alone, or on a plain WebSocket:\n  \
             createClient({{ baseUrl: '{http}', anonKey: '{anon_key}' }})\n  \
             io('{http}', {{ auth: {{ token: '{anon_key}' }} }})\n  \
             {ws}/realtime   and first {{\"type\":\"auth\",\"token\":\"{anon_key}\"}}\n\n",
            keys.api_key.reveal(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_listens_everywhere_is_reached_on_loopback() {
        let check = |local: &str, http: &str| {
            assert_eq!(Urls::of(local.parse().expect("an address")).http, http);
        };
        check("127.0.0.1:8080", "http://127.0.0.1:8080");
        check("0.0.0.0:80", "http://127.0.0.1:80");
        check("[::]:8080", "http://[::1]:8080");
        check("192.0.2.1:1", "http://192.0.2.1:1");
    }
}
