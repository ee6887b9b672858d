//! One attempt at one delivery: look up, check, connect to what was checked, send, and hear the status.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};
use tokio::time::timeout;

use super::guard::{Absence, Gate, Guard, Nameservers, NoAddress};
use super::target::{EgressRules, Refusal, Target};
use crate::side::client::Authorities;
use crate::side::webhook::limits::WebhookLimits;
use crate::side::webhook::names::{Fault, Outcome};

/// Bytes of an answer's body that are read; with more to come the connection is closed. Nobody looks at them.
const ANSWER_BYTES_MAX: usize = 4 * 1024;
/// How long they may take: the status has said everything.
const ANSWER_REST_MS_MAX: u64 = 250;
/// How long a connection without a call stays open.
const IDLE_MS_MAX: u64 = 15_000;

/// The way out. It follows no redirect and knows no proxy.
#[derive(Clone)]
pub struct Egress {
    plain: Client,
    tls: Client,
    guard: Arc<Guard>,
    rules: Arc<EgressRules>,
    connect_timeout: Duration,
    answer_timeout: Duration,
}

impl Egress {
    /// Makes it.
    ///
    /// # Errors
    /// When the system says nothing of its nameservers, or the client cannot be made.
    pub fn new(
        rules: Arc<EgressRules>,
        servers: &Nameservers,
        authorities: &Authorities,
        limits: &WebhookLimits,
    ) -> io::Result<Self> {
        let guard = Guard::new(servers, Arc::clone(&rules), limits.connect_timeout_ms)?;
        let guard = Arc::new(guard);
        let builder = |is_plain: bool| -> ClientBuilder {
            Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .http1_only()
                .https_only(!is_plain)
                .referer(false)
                .retry(reqwest::retry::never())
                .dns_resolver(Gate::new(&guard, is_plain))
                .connect_timeout(Duration::from_millis(limits.connect_timeout_ms))
                .pool_max_idle_per_host(limits.in_flight_max)
                .pool_idle_timeout(Duration::from_millis(IDLE_MS_MAX))
                .user_agent(concat!("Stentor/", env!("CARGO_PKG_VERSION")))
        };
        let tls = builder(false).tls_certs_merge(authorities.list()).build().or_else(|_| {
            tracing::warn!(
                "no certificates of authorities on this system: of https receivers only those can be called that upstream_ca_file vouches for"
            );
            builder(false).tls_certs_only(authorities.list()).build()
        });
        Ok(Self {
            plain: builder(true).tls_certs_only([]).build().map_err(io::Error::other)?,
            tls: tls.map_err(io::Error::other)?,
            guard,
            rules,
            connect_timeout: Duration::from_millis(limits.connect_timeout_ms),
            answer_timeout: Duration::from_millis(limits.answer_timeout_ms),
        })
    }

    /// Sends a body to a target. Nothing of what went wrong is told but its kind: texts of errors have URLs in them.
    pub async fn post(&self, target: &Target, headers: HeaderMap, body: Vec<u8>) -> Outcome {
        let exchange = timeout(self.answer_timeout, self.exchange(target, headers, body)).await;
        let (outcome, rest) = match exchange {
            Ok(Ok(response)) => (outcome(&response), response),
            Ok(Err(outcome)) => return outcome,
            Err(_) => return Outcome::Unreachable(Fault::Time),
        };
        // Read to its end the connection can be used again. If that takes long, it is not worth it.
        let _ = timeout(Duration::from_millis(ANSWER_REST_MS_MAX), drain(rest)).await;
        outcome
    }

    async fn exchange(
        &self,
        target: &Target,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Response, Outcome> {
        self.check(target).await?;
        let client = if target.is_tls() { &self.tls } else { &self.plain };
        let request = client.post(target.url().clone()).headers(headers).body(body);
        request.send().await.map_err(|why| fault(&why))
    }

    /// At each attempt, also where a connection is still open: a name may have moved to where no delivery goes.
    async fn check(&self, target: &Target) -> Result<(), Outcome> {
        let addresses = match target.name() {
            Err(address) => vec![address],
            Ok(name) => {
                let found = timeout(self.connect_timeout, self.guard.look_up(name)).await;
                match found {
                    Ok(Ok(found)) => found.into_iter().map(|(address, _)| address).collect(),
                    Ok(Err(Absence::Refused(_))) => return Err(Outcome::Forbidden),
                    Ok(Err(Absence::Unknown)) => return Err(Outcome::Unreachable(Fault::Name)),
                    Err(_) => return Err(Outcome::Unreachable(Fault::Time)),
                }
            }
        };
        self.rules.check(target, &addresses).map_err(|_| Outcome::Forbidden)
    }
}

fn outcome(response: &Response) -> Outcome {
    // RFC 9110 §10.2.3: seconds, or a date. A date needs two clocks that agree, so it is left out.
    let seconds = response.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok());
    let seconds = seconds.and_then(|it| it.trim().parse::<u64>().ok());
    let retry_after_ms = seconds.map(|it| it.saturating_mul(1_000));
    Outcome::Answered { status: response.status().as_u16(), retry_after_ms }
}

async fn drain(mut response: Response) {
    let mut bytes = 0;
    while let Ok(Some(part)) = response.chunk().await {
        bytes += part.len();
        if bytes > ANSWER_BYTES_MAX {
            return;
        }
    }
}

fn fault(error: &reqwest::Error) -> Outcome {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(why) = cause {
        if why.is::<Refusal>() {
            return Outcome::Forbidden;
        }
        if why.is::<NoAddress>() {
            return Outcome::Unreachable(Fault::Name);
        }
        cause = why.source();
    }
    Outcome::Unreachable(if error.is_timeout() { Fault::Time } else { Fault::Connection })
}
