//! The keys and secrets that a node makes for itself.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use engine::config::{Config, ConfigError, DevTenant, Sources, Tenant, provision, write_private};

fn config(folder: &Path) -> Config {
    let mut config = Config::default();
    config.server.data_dir = folder.join("data");
    config
}

fn only(config: &Config) -> Tenant {
    let mut tenants = provision(config).unwrap().tenants;
    assert_eq!(tenants.len(), 1);
    tenants.pop().unwrap()
}

fn same(one: &Tenant, other: &Tenant) -> bool {
    let keys = |it: &Tenant| {
        let keys = it.cohesivity.clone();
        keys.map(|it| {
            (it.application_key.reveal().to_owned(), it.management_key.reveal().to_owned())
        })
    };
    let insforge = |it: &Tenant| {
        let keys = it.insforge.as_ref()?;
        let (api_key, jwt_secret) = (keys.api_key.reveal(), keys.jwt_secret.reveal());
        Some((api_key.to_owned(), keys.anon_key.clone(), jwt_secret.to_owned()))
    };
    one.name == other.name
        && keys(one) == keys(other)
        && one.project_key == other.project_key
        && insforge(one) == insforge(other)
        && one.signing_secret.reveal() == other.signing_secret.reveal()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_node_without_tenants_makes_one_and_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let first = only(&config);
    assert_eq!(first.name, "dev");
    assert!(same(&first, &only(&config)), "the second start has the tenant of the first");
    for file in ["dev-tenant.toml", "secrets.toml"] {
        assert_eq!(mode(&config.server.data_dir.join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&config.server.data_dir), 0o700);
    let names = fs::read_dir(&config.server.data_dir).unwrap().count();
    assert_eq!(names, 2, "no temporary file is left");
}

#[test]
fn the_development_tenant_is_a_valid_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let made = only(&config);
    let file = Some(config.server.data_dir.join("dev-tenant.toml"));
    let mut loaded = Sources { file, ..Sources::default() }.load().unwrap().config;
    loaded.server.data_dir.clone_from(&config.server.data_dir);
    assert!(same(&made, &only(&loaded)), "copied into a configuration it stays the same tenant");
}

#[test]
fn a_node_keeps_its_secret_and_the_development_tenant_has_an_infrai_key() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let (first, second) = (provision(&config).unwrap(), provision(&config).unwrap());
    assert_eq!(first.node_secret.reveal(), second.node_secret.reveal());
    assert_ne!(first.node_secret.reveal(), first.tenants[0].signing_secret.reveal());
    let key = first.tenants[0].project_key.clone().unwrap();
    assert!(key.reveal().starts_with("ifr_pk_proj_") && key.reveal().len() == 44, "a key");
}

#[test]
fn a_development_tenant_of_an_older_version_gets_what_it_lacks_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let whole = only(&config);
    let path = config.server.data_dir.join("dev-tenant.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (before, _) = text.split_once("[tenant.insforge]").unwrap();
    fs::write(&path, before).unwrap();
    let mended = only(&config);
    let of = |it: &Tenant| it.insforge.as_ref().unwrap().api_key.reveal().to_owned();
    assert!(of(&mended).starts_with("ik_") && of(&mended).len() == 67, "a key");
    assert_ne!(of(&mended), of(&whole), "drawn anew");
    assert!(mended.project_key == whole.project_key, "the other keys stay");
    assert!(same(&mended, &only(&config)), "and it is kept");
    let (before, _) = before.split_once("[tenant.infrai]").unwrap();
    fs::write(&path, before).unwrap();
    let older = only(&config);
    assert!(older.project_key.is_some() && older.insforge.is_some());
    assert!(same(&older, &only(&config)));
}

#[test]
fn an_ephemeral_node_leaves_nothing_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.server.ephemeral = true;
    let (first, second) = (only(&config), only(&config));
    assert!(!same(&first, &second), "each start makes its own");
    assert!(!config.server.data_dir.exists());
}

#[test]
fn a_configured_tenant_keeps_its_generated_secret_and_its_configured_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stentor.toml");
    let secret = "5a".repeat(32);
    let text =
        |middle: &str| format!("[[tenant]]\nname = \"one\"\n[[tenant]]\nname = \"two\"\n{middle}");
    let load = |middle: &str| {
        fs::write(&file, text(middle)).unwrap();
        let sources = Sources { file: Some(file.clone()), ..Sources::default() };
        let mut config = sources.load().unwrap().config;
        config.server.data_dir = folder.path().join("data");
        let provisioned = provision(&config).unwrap();
        assert_eq!(provisioned.dev, DevTenant::Absent);
        provisioned.tenants
    };
    let generated = load("");
    let configured = load(&format!("signing_secret = \"{secret}\"\n"));
    assert!(same(&generated[0], &configured[0]));
    assert_eq!(configured[1].signing_secret.reveal(), &[0x5a; 32]);
    assert!(same(&generated[1], &load("")[1]), "the generated one is still there");
}

#[test]
fn damaged_files_are_refused_and_kept() {
    for (name, text) in [
        ("dev-tenant.toml", "# empty\n"),
        ("dev-tenant.toml", "[[tenant]]\nname = 3\n"),
        ("secrets.toml", "[[tenant]]\nname = \"dev\"\nsigning_secret = \"short\"\n"),
        ("secrets.toml", "[[tenant\n"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let path = config.server.data_dir.join(name);
        fs::create_dir(&config.server.data_dir).unwrap();
        fs::write(&path, text).unwrap();
        let error = provision(&config).err().unwrap();
        assert!(matches!(error, ConfigError::Wrong { .. }), "{error}");
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_data_directory_that_is_a_file_is_an_error_of_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    fs::write(&config.server.data_dir, "").unwrap();
    let error = provision(&config).err().unwrap();
    assert!(matches!(error, ConfigError::Io { .. }), "{error}");
}

#[test]
fn a_private_file_replaces_an_open_one_with_one_that_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    write_private(&path, "new").unwrap();
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("new", 0o600));
}

#[test]
fn nothing_that_lies_in_the_way_of_a_private_file_gets_its_text() {
    let folder = tempfile::tempdir().unwrap();
    let (path, bait) = (folder.path().join("file.json"), folder.path().join("bait"));
    let temporary = folder.path().join(format!("file.new-{}", std::process::id()));
    fs::write(&bait, "").unwrap();
    let open_file = || fs::write(&temporary, "").unwrap();
    let link = || std::os::unix::fs::symlink(&bait, &temporary).unwrap();
    let in_the_way: [&dyn Fn(); 2] = [&open_file, &link];
    for lay in in_the_way {
        lay();
        write_private(&path, "secret").unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("secret", 0o600));
        assert_eq!(fs::read_to_string(&bait).unwrap(), "");
        assert!(!temporary.exists() && !path.is_symlink());
    }
}
