//! What an operator may choose: one table of settings, read from a file, the environment and flags, in rising order.

mod consistency;
mod credentials;
mod error;
mod file;
mod insforge;
mod limits;
mod load;
mod memory;
mod secret;
mod setting;
mod table;
mod tenant;
mod tenant_file;
mod text;
mod tier;
mod upstream;
mod value;
mod webhooks;

pub(crate) use credentials::make_folder;
pub use credentials::{DevTenant, Provisioned, Tenant, generate_key, provision, write_private};
pub use error::ConfigError;
pub(crate) use file::read_tenants;
pub use insforge::{
    ANON_KEY_PREFIX, API_KEY_PREFIX, HOSTS_MAX, InsforgeConfig, JwksFile, generate_hex_key, is_host,
};
pub use load::{Loaded, Origin, Sources};
pub use secret::{Secret, SigningSecret};
pub use setting::{Kind, Setting};
pub use table::{
    Config, LimitsConfig, RealtimekitConfig, SETTINGS, ServerConfig, StorageConfig, WebhooksConfig,
};
pub use tenant::{
    APPLICATION_KEY_PREFIX, CohesivityKeys, KEY_TAIL_BYTES, LIVEBLOCKS_URL, LiveblocksConfig,
    MANAGEMENT_KEY_PREFIX, PROJECT_KEY_PREFIX, PROJECT_KEY_TAIL_BYTES, PusherConfig, TenantConfig,
    VendorConfig, is_name,
};
pub(crate) use tenant_file::{ORIGIN_RULE, ORIGINS_MAX};
pub use text::{Secrets, default_file, flag_help, settings_page, shown};
pub use upstream::{ApiToken, BaseUrl, UpstreamId};
pub use value::{JournalKind, LogFormat, LogLevel, ReactorKind, WebhookFormat};
pub use webhooks::Ports;
