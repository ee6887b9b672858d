//! One tenant's control state. Operations change it at once and say what has to be durable before anyone may hear of it; what
//! they changed can be taken back until then.

use protocol::Rejection;

use super::ask::{SeatAnswer, SeatOp};
use super::catalog::CatalogChange;
use super::provisioning::Provisioning;
use crate::ids::{Now, TenantId};

/// See the module.
#[derive(Debug)]
pub struct Seat {
    tenant: TenantId,
    provisioning: Provisioning,
}

/// How to take one change back.
#[derive(Debug)]
pub(super) enum Undo {
    Provisioning(Provisioning),
}

/// What a round of operations did so far.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) changes: Vec<CatalogChange>,
    pub(super) undo: Vec<Undo>,
}

impl Seat {
    /// A tenant of which nothing is known yet.
    #[must_use]
    pub fn new(tenant: TenantId) -> Self {
        Self { tenant, provisioning: Provisioning::default() }
    }

    /// Says what the catalog has.
    pub fn restore_provisioning(&mut self, provisioning: Provisioning) {
        self.provisioning = provisioning;
    }

    /// Does one thing.
    pub(super) fn perform(
        &mut self,
        _now: Now,
        op: SeatOp,
        done: &mut Done,
    ) -> Result<SeatAnswer, Rejection> {
        match op {
            SeatOp::Provision(region) => Ok(self.provision(Provisioning::Active(region), done)),
            SeatOp::Unprovision => Ok(self.provision(Provisioning::Deleted, done)),
        }
    }

    /// Takes back what a round did that cannot be made durable.
    pub(super) fn take_back(&mut self, undo: Vec<Undo>) {
        for it in undo.into_iter().rev() {
            match it {
                Undo::Provisioning(before) => self.provisioning = before,
            }
        }
    }

    /// What was asked for stays as it is when it is asked for again, the region too.
    fn provision(&mut self, wanted: Provisioning, done: &mut Done) -> SeatAnswer {
        let before = self.provisioning;
        let stays = matches!(
            (before, wanted),
            (Provisioning::Active(_), Provisioning::Active(_))
                | (Provisioning::Deleted, Provisioning::Deleted)
        );
        if !stays {
            self.provisioning = wanted;
            done.undo.push(Undo::Provisioning(before));
            done.changes.push(wanted.change(self.tenant));
        }
        SeatAnswer::Provisioning { before, now: self.provisioning }
    }
}
