//! A call to a vendor that signs tokens itself: one POST, answered whole and in time, or a fault that repeats nothing of it.

use std::time::Duration;

use protocol::Rejection;
use protocol::auth::vendor::VendorFault;
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use tokio::time::timeout;

use super::answers::{SideAnswer, VendorAnswer};
use super::ask::VendorAsk;
use super::client::Fault;
use super::limits::VENDOR_ANSWER_BYTES_MAX;

/// Asks. Returns the only answer.
pub(super) async fn ask(client: Client, ask: VendorAsk, timeout_ms: u64) -> SideAnswer {
    let vendor = ask.vendor;
    match timeout(Duration::from_millis(timeout_ms), exchange(client, ask)).await {
        Ok(Ok(answer)) => SideAnswer::Whole(answer),
        Ok(Err(cause)) => SideAnswer::Failed(Rejection::Vendor { vendor, cause }),
        Err(_) => SideAnswer::Failed(Rejection::Vendor { vendor, cause: VendorFault::TimedOut }),
    }
}

async fn exchange(client: Client, ask: VendorAsk) -> Result<VendorAnswer, VendorFault> {
    let mut authorization =
        HeaderValue::try_from(ask.authorization.reveal()).map_err(|_| VendorFault::Unreachable)?;
    authorization.set_sensitive(true);
    let request = client
        .post(ask.url)
        .header(AUTHORIZATION, authorization)
        .header(CONTENT_TYPE, "application/json")
        .body(ask.body);
    let mut response = request.send().await.map_err(|why| fault(&why))?;
    let mut answer = VendorAnswer { status: response.status().as_u16(), body: Vec::new() };
    while let Some(part) = response.chunk().await.map_err(|why| fault(&why))? {
        if answer.body.len() + part.len() > VENDOR_ANSWER_BYTES_MAX {
            return Err(VendorFault::Answer);
        }
        answer.body.extend_from_slice(&part);
    }
    Ok(answer)
}

fn fault(error: &reqwest::Error) -> VendorFault {
    match Fault::of(error) {
        Fault::Failed => VendorFault::Unreachable,
        Fault::TimedOut => VendorFault::TimedOut,
    }
}
