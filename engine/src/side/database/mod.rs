//! `POST /edge/database`: SQL over what was published. SQLite runs it, each query in an empty database in memory whose only table
//! reads the journal in place.

mod plan;
mod run;
mod source;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use protocol::Rejection;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::source::Source;
use super::answers::{SideAnswer, UpstreamHead};
use super::ask::DatabaseAsk;
use super::journals::Journals;
use super::limits::SideLimits;
use super::overdue::Overdue;
use super::runtime::Outlet;

/// Runs a query and streams its rows. Returns the last answer.
pub(super) async fn answer(
    ask: DatabaseAsk,
    journals: Journals,
    queries: Arc<Semaphore>,
    limits: SideLimits,
    outlet: Outlet,
) -> SideAnswer {
    let body = match rows(ask, journals, queries, &limits).await {
        Ok(body) => body,
        Err(why) => return SideAnswer::Failed(why),
    };
    outlet.send(SideAnswer::Head(Box::new(UpstreamHead {
        status: 200,
        length: Some(body.len() as u64),
        lines: vec![("Content-Type", "application/json".to_owned())],
    })));
    outlet.stream(&body, limits.part_bytes_max).await;
    SideAnswer::End
}

async fn rows(
    ask: DatabaseAsk,
    journals: Journals,
    queries: Arc<Semaphore>,
    limits: &SideLimits,
) -> Result<Vec<u8>, Rejection> {
    let limits = limits.database.clone();
    let patience = Duration::from_millis(limits.time_ms_max);
    let overloaded = Rejection::Overloaded { limit: "database_queries_max" };
    let waited = timeout(patience, queries.acquire_owned()).await;
    let Ok(Ok(permit)) = waited else { return Err(overloaded) };
    let (overdue, flag) = Overdue::watched();
    let time_ms_max = limits.time_ms_max;
    let source = Arc::new(Source::new(journals, ask.tenant, flag));
    let running = spawn_blocking(move || {
        let result = run::run(&ask.query, &source, &limits);
        // Only now: whoever waits for it gets a thread that is free.
        drop(permit);
        result
    });
    let ended = timeout(patience, running).await;
    drop(overdue);
    match ended {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Rejection::Internal),
        Err(_) => Err(run::over_time(time_ms_max)),
    }
}
