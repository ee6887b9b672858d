//! `/edge/realtimekit/*`: a reverse proxy to Cloudflare's RealtimeKit, streamed part by part.

use std::time::Duration;

use protocol::http::Method;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Client, Request, Response, Url};
use tokio::time::timeout;

use super::answers::{SideAnswer, UpstreamHead};
use super::ask::KitAsk;
use super::client::Fault;
use super::limits::SideLimits;
use super::runtime::Outlet;
use crate::config::Secret;

const UPSTREAM: &str = "RealtimeKit";

/// Where RealtimeKit is, and as whom to call it.
#[derive(Clone)]
pub struct KitOptions {
    /// `https://api.cloudflare.com/client/v4`, without a slash at the end.
    pub base_url: String,
    /// The Cloudflare account.
    pub account_id: String,
    /// The RealtimeKit app in it.
    pub app_id: String,
    /// The token for it.
    pub api_token: Secret,
}

/// Header lines of an answer that are passed on. The others are about its connection or its origin, which are not the caller's.
const PASSED_ON: [&str; 9] = [
    "Content-Type",
    "Content-Encoding",
    "Content-Language",
    "Content-Disposition",
    "Cache-Control",
    "ETag",
    "Last-Modified",
    "Retry-After",
    "CF-Ray",
];

impl KitOptions {
    /// The request as RealtimeKit gets it. `None` when it cannot be one.
    fn request(&self, ask: KitAsk) -> Option<Request> {
        let Self { base_url, account_id, app_id, .. } = self;
        let target = &ask.target;
        let url = format!("{base_url}/accounts/{account_id}/realtime/kit/{app_id}/{target}");
        let mut request = Request::new(method(ask.method), Url::parse(&url).ok()?);
        let headers = request.headers_mut();
        for (name, value) in &ask.headers {
            headers
                .append(HeaderName::try_from(&**name).ok()?, HeaderValue::try_from(&**value).ok()?);
        }
        let mut bearer =
            HeaderValue::try_from(format!("Bearer {}", self.api_token.reveal())).ok()?;
        bearer.set_sensitive(true);
        headers.insert(reqwest::header::AUTHORIZATION, bearer);
        if !ask.body.is_empty() {
            *request.body_mut() = Some(Body::from(ask.body));
        }
        Some(request)
    }
}

/// Passes a request on and its answer back. Returns the last answer.
pub(super) async fn pass_on(
    client: Client,
    options: Option<KitOptions>,
    ask: KitAsk,
    limits: SideLimits,
    outlet: Outlet,
) -> SideAnswer {
    let Some(options) = options else {
        let what = "RealtimeKit needs account_id, app_id and api_token of [realtimekit]";
        return SideAnswer::Failed(protocol::Rejection::Unimplemented { what });
    };
    let failed = |fault: Fault| SideAnswer::Failed(fault.rejection(UPSTREAM));
    let Some(request) = options.request(ask) else {
        return SideAnswer::Failed(protocol::Rejection::InvalidHeader { name: "header" });
    };
    let patience = Duration::from_millis(limits.answer_timeout_ms);
    let mut response = match timeout(patience, client.execute(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(why)) => return failed(Fault::of(&why)),
        Err(_) => return failed(Fault::TimedOut),
    };
    outlet.send(SideAnswer::Head(Box::new(head(&response))));
    let patience = Duration::from_millis(limits.idle_timeout_ms);
    loop {
        let part = match timeout(patience, response.chunk()).await {
            Ok(Ok(Some(part))) => part,
            Ok(Ok(None)) => return SideAnswer::End,
            Ok(Err(why)) => return failed(Fault::of(&why)),
            Err(_) => return failed(Fault::TimedOut),
        };
        // While this waits the server is not read: a slow client slows it down, and holds no more than a few parts.
        outlet.stream(&part, limits.part_bytes_max).await;
    }
}

fn head(response: &Response) -> UpstreamHead {
    UpstreamHead {
        status: response.status().as_u16(),
        length: length(response.headers()),
        lines: PASSED_ON.into_iter().filter_map(|name| line(response.headers(), name)).collect(),
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn line(headers: &HeaderMap, name: &'static str) -> Option<(&'static str, String)> {
    Some((name, headers.get(name)?.to_str().ok()?.to_owned()))
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
        Method::Options => reqwest::Method::OPTIONS,
    }
}
