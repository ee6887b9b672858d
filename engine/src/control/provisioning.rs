//! Whether a tenant has the resource `realtime`, and where it wants it written.

use super::catalog::{CatalogChange, Entry};
use crate::ids::TenantId;

/// Its table in the catalog.
pub const PROVISIONING: &str = "provisioning";

/// Where a tenant wants its messages written. It is kept and shown; a node is in one place.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Region {
    /// Western North America.
    Wnam,
    /// Eastern North America.
    Enam,
    /// Western Europe.
    Weur,
    /// Eastern Europe.
    Eeur,
    /// Asia and the Pacific.
    #[default]
    Apac,
    /// Oceania.
    Oc,
}

impl Region {
    const ALL: [Self; 6] = [Self::Wnam, Self::Enam, Self::Weur, Self::Eeur, Self::Apac, Self::Oc];

    /// The region of a name or of an alias.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let alias = match name {
            "us-west" => "wnam",
            "us" => "enam",
            "eu" => "weur",
            "eu-east" => "eeur",
            "australia" => "oc",
            name => name,
        };
        Self::ALL.into_iter().find(|it| it.name() == alias)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wnam => "wnam",
            Self::Enam => "enam",
            Self::Weur => "weur",
            Self::Eeur => "eeur",
            Self::Apac => "apac",
            Self::Oc => "oc",
        }
    }
}

/// What a tenant has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Provisioning {
    /// What nobody changed: a tenant of the configuration has the resource.
    #[default]
    Implied,
    /// It was asked for.
    Active(Region),
    /// It was deleted.
    Deleted,
}

impl Provisioning {
    /// Whether the resource is there.
    #[must_use]
    pub fn is_active(self) -> bool {
        match self {
            Self::Implied | Self::Active(_) => true,
            Self::Deleted => false,
        }
    }

    /// The change that keeps it.
    pub(super) fn change(self, tenant: TenantId) -> CatalogChange {
        let entry = Entry { table: PROVISIONING, key: tenant.0.to_be_bytes().to_vec() };
        match self {
            Self::Implied => CatalogChange::Delete(entry),
            Self::Active(region) => CatalogChange::Put(entry, region.name().into()),
            Self::Deleted => CatalogChange::Put(entry, b"deleted".to_vec()),
        }
    }

    /// What a value of the catalog says.
    #[must_use]
    pub fn read(value: &[u8]) -> Option<Self> {
        match std::str::from_utf8(value).ok()? {
            "deleted" => Some(Self::Deleted),
            name => Region::named(name).map(Self::Active),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_names_and_aliases() {
        for (name, expected) in [
            ("wnam", Some(Region::Wnam)),
            ("us-west", Some(Region::Wnam)),
            ("us", Some(Region::Enam)),
            ("eu", Some(Region::Weur)),
            ("eu-east", Some(Region::Eeur)),
            ("apac", Some(Region::Apac)),
            ("australia", Some(Region::Oc)),
            ("US", None),
            ("", None),
        ] {
            assert_eq!(Region::named(name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_kept_reads_as_it_was() {
        for it in [Provisioning::Active(Region::Oc), Provisioning::Deleted] {
            let CatalogChange::Put(_, value) = it.change(TenantId(1)) else { unreachable!() };
            assert_eq!(Provisioning::read(&value), Some(it));
        }
    }
}
