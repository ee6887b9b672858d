//! What the configuration says of a tenant beside its name: keys of all dialects and vendors, tiers, rates, options.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::fs;

use engine::config::{Config, Secrets, Sources, provision, shown};
use engine::control::{Metered, OnTokenEnd, Paced, Quota, Rate, Tier};
use engine::ids::TenantId;
use engine::tenants::Tenants;
use protocol::Window;

const PROJECT_KEY: &str = "ifr_pk_proj_0123456789abcdef";
const MASTER_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

fn load(text: &str) -> Result<engine::config::Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stentor.toml");
    fs::write(&path, text).unwrap();
    let loaded = Sources { file: Some(path), ..Sources::default() }.load();
    loaded.map_err(|it| it.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

fn error(text: &str) -> String {
    load(text).err().unwrap_or_else(|| "valid".to_owned())
}

fn config(text: &str) -> Config {
    let mut config = load(text).unwrap().config;
    config.server.ephemeral = true;
    config
}

fn everything() -> String {
    format!(
        "[tiers.team]\nsockets_max = 7\nrequests_per_minute = 5\nmints_in_all = 9\n\
         [[tenant]]\nname = \"demo\"\ntier = \"team\"\nclose_on_token_expiry = true\n\
         allowed_origins = [\"https://App.example:443\", \"null\"]\n\
         [tenant.cohesivity]\napplication_key = \"coh_app_abcdefghij0123456789\"\n\
         management_key = \"coh_man_abcdefghij0123456789\"\n\
         [tenant.infrai]\nproject_key = \"{PROJECT_KEY}\"\n\
         [tenant.pusher]\napp_id = \"1\"\nkey = \"278d425bdf160c739803\"\nsecret = \"7ad3773142a6692b25b8\"\n\
         encryption_master_key_base64 = \"{MASTER_KEY}\"\n\
         [tenant.ably]\nkey = \"xVLyHw.3-pAYw:a0123456789abcdef\"\n\
         [tenant.liveblocks]\nsecret_key = \"sk_prod_0123456789abcdef\"\nbase_url = \"http://127.0.0.1:9/v\"\n\
         [tenant.rates]\npublishes_per_s = 10\npublishes_burst = 20\nbytes_per_s = 1000\n"
    )
}

#[test]
fn every_section_of_a_tenant_reaches_the_shards() {
    let provisioned = provision(&config(&everything())).unwrap();
    let specs: Vec<_> = provisioned.tenants.iter().map(|it| it.spec(TenantId(4))).collect();
    let tenants = Tenants::new(&specs, *provisioned.node_secret.reveal());
    let id = tenants.of_project_key(PROJECT_KEY).unwrap();
    assert_eq!(id, TenantId(4));
    assert_eq!(tenants.of_application_key("coh_app_abcdefghij0123456789"), Some(id));
    let vendors = tenants.vendors(id);
    assert_eq!(vendors.pusher.as_ref().unwrap().key(), "278d425bdf160c739803");
    assert_eq!(vendors.ably.as_ref().unwrap().name(), "xVLyHw.3-pAYw");
    let authorization = vendors.liveblocks.as_ref().unwrap().authorization();
    assert_eq!(authorization.reveal(), "Bearer sk_prod_0123456789abcdef");
    assert_eq!(tenants.liveblocks_base_url(id), "http://127.0.0.1:9/v");
    let plan = tenants.plan(id);
    assert_eq!(plan.on_token_end, OnTokenEnd::Close);
    let origins: Vec<_> = plan.origins.iter().flat_map(protocol::Origins::iter).collect();
    assert_eq!(origins, ["https://app.example", "null"]);
    let quota = |what, window, max| Quota { what, window, max };
    let tier = Tier {
        sockets_max: Some(7),
        quotas: vec![
            quota(Metered::Requests, Window::UtcMinute, 5),
            quota(Metered::Mints, Window::Lifetime, 9),
        ],
    };
    assert_eq!(plan.tier, Some(tier));
    let mut rates = engine::control::Rates::default();
    rates.set(Paced::Publishes, Rate { per_second: 10, burst: 20 });
    rates.set(Paced::Bytes, Rate { per_second: 1000, burst: 0 });
    assert_eq!(plan.rates, rates);
}

#[test]
fn a_tenant_that_says_nothing_has_no_tier_and_the_defaults() {
    let text = "[[tenant]]\nname = \"a\"\n[tenant.liveblocks]\nsecret_key = \"sk_x\"\n";
    let spec = provision(&config(text)).unwrap().tenants[0].spec(TenantId(1));
    assert_eq!(spec.plan, engine::control::Plan::default());
    assert_eq!(spec.liveblocks_base_url, "https://api.liveblocks.io");
    assert!(spec.project_key.is_none() && spec.vendors.pusher.is_none());
    let free = "[[tenant]]\nname = \"a\"\ntier = \"free\"\n";
    let spec = provision(&config(free)).unwrap().tenants[0].spec(TenantId(1));
    assert_eq!(spec.plan.tier, Tier::preset("free"));
}

#[test]
fn wrong_sections_are_refused_with_their_place_and_the_nearest_name() {
    let tenant = |rest: &str| error(&format!("[[tenant]]\nname = \"a\"\n{rest}"));
    let check = |rest: &str, expected: &str| assert_eq!(tenant(rest), expected);
    check(
        "[tenant.infra]\n",
        "stentor.toml:3: unknown setting `tenant.infra`; did you mean `infrai`?",
    );
    check(
        "[tenant.infrai]\nproject_kay = \"x\"\n",
        "stentor.toml:4: unknown setting `tenant.infrai.project_kay`; did you mean `project_key`?",
    );
    check("[tenant.infrai]\n", "stentor.toml:3: tenant.infrai.project_key is missing");
    let rule = "it must be ifr_pk_proj_ and 16 to 128 of a-z, A-Z, 0-9, - and _";
    check(
        "[tenant.infrai]\nproject_key = \"ifr_pk_proj_short\"\n",
        &format!("stentor.toml:4: tenant.infrai.project_key is 17 characters; {rule}"),
    );
    check(
        "tier = \"gold\"\n",
        "tenant \"a\" has the tier \"gold\"; it must be one of ephemeral, free, plus, pro",
    );
    check(
        "tier = \"plu\"\n",
        "tenant \"a\" has the tier \"plu\"; it must be one of ephemeral, free, plus, pro; did you mean `plus`?",
    );
    check(
        "close_on_token_expiry = 1\n",
        "stentor.toml:3: tenant.close_on_token_expiry is of type integer; it must be true or false",
    );
    check(
        "allowed_origins = \"https://a\"\n",
        "stentor.toml:3: tenant.allowed_origins is of type string; it must be a list of origins",
    );
    let rule = "each must be https://name, with a port if it is no usual one and nothing behind it, or null";
    check(
        "allowed_origins = [\"https://a\", \"https://*.a\"]\n",
        &format!("stentor.toml:3: tenant.allowed_origins is \"https://*.a\"; {rule}"),
    );
    check(
        "[tenant.ably]\nkey = \"nothing\"\n",
        "stentor.toml:1: tenant.ably.key must have the form app.id:secret",
    );
    check(
        "[tenant.pusher]\napp_id = \"1\"\nkey = \"k\"\nsecret = \"s\"\nencryption_master_key_base64 = \"AA==\"\n",
        "stentor.toml:1: tenant.pusher.encryption_master_key_base64 must be 32 bytes in base64",
    );
    check("[tenant.pusher]\nkey = \"k\"\n", "stentor.toml:3: tenant.pusher.app_id is missing");
    check(
        "[tenant.liveblocks]\nsecret_key = \"sk_a\"\nbase_url = \"ftp://x\"\n",
        "stentor.toml:5: tenant.liveblocks.base_url is \"ftp://x\"; it must be http://… or https://… without a slash at its end",
    );
    check(
        "[tenant.rates]\npublishes_burst = 3\n",
        "stentor.toml:3: tenant.rates.publishes_per_s is missing",
    );
    check(
        "[tenant.rates]\npublishes_per_s = -1\n",
        "stentor.toml:4: tenant.rates.publishes_per_s is -1; it must be a whole number from 0 to 4294967295",
    );
}

#[test]
fn wrong_tiers_are_refused() {
    assert_eq!(
        error("[tiers.free]\n"),
        "stentor.toml:1: the name of a tier is \"free\"; a tier of the house cannot be changed; give yours another name"
    );
    assert_eq!(
        error("[tiers.a]\nrequest_per_minute = 1\n"),
        "stentor.toml:2: unknown setting `tiers.*.request_per_minute`; did you mean `requests_per_minute`?"
    );
    assert_eq!(
        error("[tiers.a]\nsockets_max = \"x\"\n"),
        "stentor.toml:2: tiers.*.sockets_max is of type string; it must be a whole number from 0 to 4294967295"
    );
    assert_eq!(error("[tiers.a]\nmints_per_month = 0\n"), "valid");
}

#[test]
fn what_is_shown_masks_every_secret_and_gives_the_same_tenant() {
    let loaded = load(&everything()).unwrap();
    let masked = shown(&loaded, Secrets::Masked);
    let secrets =
        ["abcdefghij", "0123456789abcdef", "7ad3773142a6", "BwcHBwcH", "a0123456789", "prod_0123"];
    for secret in secrets {
        assert!(!masked.contains(secret), "{secret} in\n{masked}");
        assert!(everything().contains(secret), "{secret} is a secret of the file");
    }
    let whole = shown(&loaded, Secrets::Shown);
    let again = shown(&load(&whole).unwrap(), Secrets::Shown);
    let values = |text: &str| {
        let lines =
            text.lines().map(|it| it.split('#').next().unwrap_or_default().trim().to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(values(&whole), values(&again));
    for line in ["tier = \"team\"", "publishes_burst = 20", "mints_in_all = 9", PROJECT_KEY] {
        assert!(whole.contains(line), "{line} in\n{whole}");
    }
}

#[test]
fn two_tenants_share_no_project_key() {
    let one = |name: &str| {
        format!("[[tenant]]\nname = \"{name}\"\n[tenant.infrai]\nproject_key = \"{PROJECT_KEY}\"\n")
    };
    assert_eq!(
        error(&format!("{}{}", one("a"), one("b"))),
        "tenant.infrai.project_key of tenant \"b\" is also that of \"a\"; no two tenants share one"
    );
}
