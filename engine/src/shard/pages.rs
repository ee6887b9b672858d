//! From which pages a request may come: the tenant that it concerns says.

use protocol::engineio::Sid;
use protocol::http::Head;
use protocol::{Rejection, page_of};

use super::Shard;
use crate::ids::TenantId;

impl Shard {
    /// Refuses a request from a page that the tenant does not take.
    pub(super) fn admit_page(&self, tenant: TenantId, head: &Head<'_>) -> Result<(), Rejection> {
        if !self.tenants.list_origins() {
            return Ok(());
        }
        self.tenants.admit_page(tenant, page_of(head).as_deref())
    }

    /// The same for a request about a session of Engine.IO. Before its client has said who it is, it is only known who takes none
    /// of the page's.
    pub(super) fn admit_session_page(
        &mut self,
        sid: Option<Sid>,
        page: Option<&str>,
    ) -> Result<(), Rejection> {
        if !self.tenants.list_origins() {
            return Ok(());
        }
        let session = sid.and_then(|it| self.polls.of(it));
        let tenant = session.and_then(|it| self.socket(it)).map(|it| it.tenant);
        match tenant.filter(|it| *it != TenantId::UNKNOWN) {
            Some(tenant) => self.tenants.admit_page(tenant, page),
            None => self.tenants.admit_page_anywhere(page),
        }
    }
}
