//! Whose pages may use the sockets of which tenant. A request that comes from no page is none of this: a token is always required.

use hashbrown::HashSet;
use protocol::{Rejection, read_origin};

use super::{TenantSpec, Tenants};
use crate::ids::TenantId;

/// Pages that some tenant takes.
#[derive(Default)]
pub(super) struct Pages {
    /// Whether a tenant has a list.
    is_listed: bool,
    /// Whether a tenant has none, and takes all of them.
    is_open: bool,
    /// All that are on lists.
    all: HashSet<String>,
}

impl Pages {
    pub(super) fn of(specs: &[TenantSpec]) -> Self {
        let lists = || specs.iter().map(|it| it.plan.origins.as_ref());
        let all = lists().flatten().flat_map(|it| it.iter().map(str::to_owned)).collect();
        let is_open = specs.is_empty() || lists().any(|it| it.is_none());
        Self { is_listed: lists().any(|it| it.is_some()), is_open, all }
    }

    fn admit(&self, page: &str) -> bool {
        self.is_open || read_origin(page).is_some_and(|it| self.all.contains(&it))
    }
}

impl Tenants {
    /// Whether it matters from which page a request comes.
    #[must_use]
    pub fn list_origins(&self) -> bool {
        self.pages.is_listed
    }

    /// Refuses a page that the tenant does not take.
    ///
    /// # Errors
    /// When the tenant has a list, and the page is not on it.
    pub fn admit_page(&self, id: TenantId, page: Option<&str>) -> Result<(), Rejection> {
        match (&self.tenant(id).plan.origins, page) {
            (Some(list), Some(page)) if !list.admit(page) => Err(denied(page)),
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// The same for a request of which is not known whose it is.
    ///
    /// # Errors
    /// When no tenant takes the page.
    pub fn admit_page_anywhere(&self, page: Option<&str>) -> Result<(), Rejection> {
        match page {
            Some(page) if !self.pages.admit(page) => Err(denied(page)),
            Some(_) | None => Ok(()),
        }
    }
}

/// As much of an origin as an answer says.
const SHOWN_CHARS: usize = 256;

fn denied(page: &str) -> Rejection {
    Rejection::OriginDenied { origin: page.chars().take(SHOWN_CHARS).collect() }
}

#[cfg(test)]
mod tests {
    use protocol::Origins;

    use super::*;
    use crate::control::Plan;

    fn spec(id: u32, origins: Option<&[&str]>) -> TenantSpec {
        let list = |it: &[&str]| it.iter().try_fold(Origins::default(), |list, it| list.and(it));
        let origins = origins.map(|it| list(it).unwrap());
        let plan = Plan { origins, ..Plan::default() };
        TenantSpec { id: TenantId(id), name: format!("t{id}"), plan, ..TenantSpec::default() }
    }

    fn check(tenants: &Tenants, id: u32, page: Option<&str>, passes: [bool; 2]) {
        let found = [tenants.admit_page(TenantId(id), page), tenants.admit_page_anywhere(page)];
        assert_eq!(found.map(|it| it.is_ok()), passes, "{id} {page:?}");
    }

    #[test]
    fn each_tenant_has_its_own_list() {
        let specs = [spec(1, Some(&["https://a"])), spec(2, Some(&["https://b", "null"]))];
        let tenants = Tenants::new(&specs, [0; 32]);
        assert!(tenants.list_origins());
        check(&tenants, 1, Some("https://a"), [true, true]);
        check(&tenants, 1, Some("https://b"), [false, true]);
        check(&tenants, 1, Some("null"), [false, true]);
        check(&tenants, 2, Some("null"), [true, true]);
        check(&tenants, 2, Some("https://c"), [false, false]);
        check(&tenants, 2, None, [true, true]);
    }

    #[test]
    fn a_tenant_without_a_list_takes_all_and_one_with_an_empty_list_none() {
        let tenants = Tenants::new(&[spec(1, None), spec(2, Some(&[]))], [0; 32]);
        check(&tenants, 1, Some("https://a"), [true, true]);
        check(&tenants, 2, Some("https://a"), [false, true]);
        check(&tenants, 2, None, [true, true]);
        let open = Tenants::new(&[spec(1, None)], [0; 32]);
        assert!(!open.list_origins());
    }

    #[test]
    fn what_is_named_of_a_page_has_a_bound() {
        let tenants = Tenants::new(&[spec(1, Some(&[]))], [0; 32]);
        let page = "x".repeat(1_000);
        let Err(Rejection::OriginDenied { origin }) = tenants.admit_page(TenantId(1), Some(&page))
        else {
            panic!("it is refused");
        };
        assert_eq!(origin.len(), SHOWN_CHARS);
    }
}
