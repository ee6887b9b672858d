//! The way from the operator's door to a running node: orders to its first core, changes to its catalog.

use std::sync::Arc;
use std::time::Duration;

use storage::{CatalogHandle, OwnedChange};

use super::{Refused, WebhookAsk, WebhookSaid, World};
use crate::control::{Acted, Operate, Operation, TokenId};
use crate::ids::TenantId;
use crate::reactor::{OperationAnswer, Order};
use crate::side::webhook::{ReplayFault, WeakWebhookDoor};
use crate::tenants::Tenants;

/// How long the node may take for one step.
const PATIENCE: Duration = Duration::from_secs(30);

/// See the module.
pub struct NodeLink {
    orders: flume::Sender<Order>,
    catalog: CatalogHandle,
    /// Rings when the catalog has answered.
    answered: flume::Receiver<()>,
    next: u64,
    /// The node's, for as long as they run.
    webhooks: Option<WeakWebhookDoor>,
}

impl NodeLink {
    /// A way to the core that takes these orders, and to the catalog.
    #[must_use]
    pub fn new(
        orders: flume::Sender<Order>,
        catalog: CatalogHandle,
        answered: flume::Receiver<()>,
    ) -> Self {
        Self { orders, catalog, answered, next: 0, webhooks: None }
    }

    /// The same, with a way to webhooks.
    #[must_use]
    pub fn with_webhooks(self, webhooks: Option<WeakWebhookDoor>) -> Self {
        Self { webhooks, ..self }
    }

    /// Has the first core see to it that every core does its part.
    fn operate(&self, tenant: TenantId, what: Operate) -> Result<Vec<u8>, Refused> {
        let (answer, answers) = flume::bounded(1);
        let operation = Box::new(Operation { number: 0, tenant, claim: None, what });
        let away = || Refused::away("the node is about to end");
        self.orders.send(Order::Operate(operation, answer)).map_err(|_| away())?;
        let result: OperationAnswer = answers.recv_timeout(PATIENCE).map_err(|_| away())?;
        result.map_err(|why| Refused::disk(format!("the node refuses: {why}")))
    }
}

impl World for NodeLink {
    fn apply(&mut self, changes: Vec<OwnedChange>) -> Result<(), Refused> {
        self.next += 1;
        let busy = |_| Refused::disk("the catalog has as much to do as it may");
        self.catalog.try_apply(self.next, changes).map_err(busy)?;
        loop {
            let mut answers = self.catalog.answers();
            if let Some((_, result)) = answers.find(|(token, _)| *token == self.next) {
                return result.map_err(Refused::disk);
            }
            let away = |_| Refused::away("the catalog does not answer");
            self.answered.recv_timeout(PATIENCE).map_err(away)?;
        }
    }

    fn take_tenants(&mut self, tenants: Tenants) -> Result<(), Refused> {
        self.operate(TenantId(0), Operate::Tenants(Arc::new(tenants))).map(drop)
    }

    fn drop_messages(&mut self, tenant: TenantId) -> Result<(), Refused> {
        self.operate(tenant, Operate::Forget).map(drop)
    }

    fn revoke(&mut self, tenant: TenantId, token: TokenId, until_s: u64) -> Result<(), Refused> {
        self.operate(tenant, Operate::Revoke(token, until_s)).map(drop)
    }

    fn is_revoked(&mut self, tenant: TenantId, token: TokenId) -> Result<bool, Refused> {
        let answer = self.operate(tenant, Operate::IsRevoked(token))?;
        let acted = Acted::read(&answer);
        acted
            .map(|it| it == Acted(1))
            .ok_or_else(|| Refused::away("the node's answer makes no sense"))
    }

    fn webhooks(&mut self, ask: WebhookAsk) -> Result<WebhookSaid, Refused> {
        let away = || Refused::away("webhooks do not answer");
        let door = self.webhooks.as_ref().and_then(WeakWebhookDoor::open).ok_or_else(away)?;
        let (answer, answers) = flume::bounded(1);
        let sent = match ask {
            WebhookAsk::Status(tenant) => door.status(
                tenant,
                Box::new(move |all| drop(answer.send(Ok(WebhookSaid::Status(all))))),
            ),
            WebhookAsk::Letters(of, after, max) => {
                let reply = move |found: Option<_>| {
                    let gone = || Refused::disk("dead letters cannot be read");
                    drop(answer.send(found.map(WebhookSaid::Letters).ok_or_else(gone)));
                };
                door.letters(of, after, max, Box::new(reply))
            }
            WebhookAsk::Replay(of, letter) => {
                let reply = move |result: Result<(), ReplayFault>| {
                    let result = result.map(|()| WebhookSaid::Taken);
                    drop(answer.send(result.map_err(|why| Refused::asked(why.to_string()))));
                };
                door.replay(of, letter, Box::new(reply))
            }
        };
        sent.map_err(|_| away())?;
        answers.recv_timeout(PATIENCE).map_err(|_| away())?
    }

    fn policies(&mut self, tenant: TenantId) -> Result<Vec<u8>, Refused> {
        self.operate(tenant, Operate::Policies)
    }
}
