//! What an operator may choose: one table of settings, read from a file, the environment and flags, in rising order.

mod consistency;
mod credentials;
mod error;
mod file;
mod limits;
mod load;
mod secret;
mod setting;
mod table;
mod tenant;
mod text;
mod upstream;
mod value;

pub use credentials::{DevTenant, Tenant, provision, write_private};
pub use error::ConfigError;
pub use load::{Loaded, Origin, Sources};
pub use secret::{Secret, SigningSecret};
pub use setting::{Kind, Setting};
pub use table::{Config, LimitsConfig, RealtimekitConfig, SETTINGS, ServerConfig, StorageConfig};
pub use tenant::{CohesivityKeys, TenantConfig};
pub use text::{Secrets, default_file, flag_help, settings_page, shown};
pub use upstream::{ApiToken, BaseUrl, UpstreamId};
pub use value::{JournalKind, LogFormat, LogLevel, ReactorKind};
