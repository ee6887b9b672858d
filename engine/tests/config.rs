//! The configuration: where values come from, and what each wrong one is told.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::fs;
use std::path::{Path, PathBuf};

use engine::config::{
    JournalKind, Kind, Loaded, Origin, SETTINGS, Secrets, Setting, Sources, default_file,
    settings_page, shown,
};

const APPLICATION_KEY: &str = "coh_app_abcdefghij0123456789";
const MANAGEMENT_KEY: &str = "coh_man_abcdefghij0123456789";

struct Given {
    _folder: tempfile::TempDir,
    path: PathBuf,
    sources: Sources,
}

impl Given {
    fn file(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stentor.toml");
        fs::write(&path, text).unwrap();
        let sources = Sources { file: Some(path.clone()), ..Sources::default() };
        Self { _folder: folder, path, sources }
    }

    /// The error, with the folder cut off.
    fn error(&self) -> String {
        let folder = format!("{}/", self.path.parent().unwrap().display());
        match self.sources.load() {
            Ok(_) => "valid".to_owned(),
            Err(error) => error.to_string().replace(&folder, ""),
        }
    }
}

fn setting(path: &str) -> &'static Setting {
    SETTINGS.iter().find(|it| it.path() == path).unwrap()
}

fn load_flag(setting: &'static Setting, text: &str) -> Result<Loaded, String> {
    let sources = Sources { flags: vec![(setting, text.to_owned())], ..Sources::default() };
    sources.load().map_err(|it| it.to_string())
}

fn tenant(name: &str, application_key: &str, management_key: &str) -> String {
    format!(
        "[[tenant]]\nname = \"{name}\"\n[tenant.cohesivity]\n\
         application_key = \"{application_key}\"\nmanagement_key = \"{management_key}\"\n"
    )
}

#[test]
fn flags_overrule_the_environment_and_that_the_file() {
    let mut given =
        Given::file("[server]\nlisten = \"127.0.0.1:1\"\nshards = 1\nlog_level = \"warn\"\n");
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    given.sources.environment = vec![
        variable("STENTOR_SERVER_LISTEN", "127.0.0.1:2"),
        variable("STENTOR_SERVER_SHARDS", "2"),
        variable("HOME", "/root"),
        variable("STENTOR_BENCH_KEY", "of the load test"),
    ];
    given.sources.flags = vec![(setting("server.listen"), "127.0.0.1:3".to_owned())];
    let loaded = given.sources.load().unwrap();
    let server = &loaded.config.server;
    assert_eq!((server.listen.port(), server.shards, server.log_level.name()), (3, 2, "warn"));
    let origin = |path| *loaded.origin(setting(path));
    assert_eq!(origin("server.listen"), Origin::Flag);
    assert_eq!(origin("server.shards"), Origin::Environment);
    assert_eq!(origin("server.log_level"), Origin::File { line: 4 });
    assert_eq!(origin("server.data_dir"), Origin::Default);
}

#[test]
fn a_variable_names_the_file_where_no_flag_does() {
    let mut given = Given::file("[server]\nshards = 7\n");
    let variable = ("STENTOR_CONFIG".to_owned(), given.path.display().to_string());
    given.sources = Sources { environment: vec![variable], ..Sources::default() };
    assert_eq!(given.sources.load().unwrap().config.server.shards, 7);
    given.sources.file = Some(given.path.with_file_name("absent.toml"));
    assert_eq!(given.error(), "read absent.toml: No such file or directory (os error 2)");
}

#[test]
fn ephemeral_means_a_journal_in_memory() {
    let loaded = load_flag(setting("server.ephemeral"), "true").unwrap();
    assert_eq!(loaded.config.storage.journal, JournalKind::Memory);
    let origin = loaded.origin(setting("storage.journal"));
    assert_eq!(*origin, Origin::Implied("server.ephemeral"));
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest() {
    let check = |text: &str, expected: &str| assert_eq!(Given::file(text).error(), expected);
    check(
        "[server]\n\nlisten_on = \"x\"\n",
        "stentor.toml:3: unknown setting `server.listen_on`; did you mean `listen`?",
    );
    check("[limit]\n", "stentor.toml:1: unknown setting `limit`; did you mean `limits`?");
    check(
        "[limits]\nheader_max = 3\n",
        "stentor.toml:2: unknown setting `limits.header_max`; did you mean `headers_max`?",
    );
    check(
        "listen = \"127.0.0.1:1\"\n",
        "stentor.toml:1: unknown setting `listen`; `stentor config default` lists every setting",
    );
    check(
        "[[tenant]]\nname = \"a\"\nsecret = \"b\"\n",
        "stentor.toml:3: unknown setting `tenant.secret`; `stentor config default` lists every setting",
    );
    check(
        "[[tenants]]\nname = \"a\"\n",
        "stentor.toml:1: unknown setting `tenants`; did you mean `tenant`?",
    );
    check(
        "[[tenant]]\nname = \"a\"\n[tenant.cohesivity]\naplication_key = \"b\"\n",
        "stentor.toml:4: unknown setting `tenant.cohesivity.aplication_key`; did you mean `application_key`?",
    );
}

#[test]
fn an_unknown_variable_is_refused_with_the_nearest() {
    let variable = ("STENTOR_SERVER_LISTN".to_owned(), "x".to_owned());
    let sources = Sources { environment: vec![variable], ..Sources::default() };
    assert_eq!(
        sources.load().err().unwrap().to_string(),
        "variable STENTOR_SERVER_LISTN: unknown setting `STENTOR_SERVER_LISTN`; did you mean `STENTOR_SERVER_LISTEN`?"
    );
}

#[test]
fn a_wrong_value_is_told_with_the_place_the_value_and_the_rule() {
    let check = |text: &str, expected: &str| assert_eq!(Given::file(text).error(), expected);
    check(
        "[server]\nlisten = \"8080\"\n",
        "stentor.toml:2: server.listen is \"8080\"; it must be an address and a port, as 127.0.0.1:8080 or [::1]:8080",
    );
    check(
        "[server]\nlisten = 8080\n",
        "stentor.toml:2: server.listen is \"8080\"; it must be an address and a port, as 127.0.0.1:8080 or [::1]:8080",
    );
    check(
        "[server]\ndata_dir = \"\"\n",
        "stentor.toml:2: server.data_dir is \"\"; it must be a path",
    );
    check(
        "[server]\nephemeral = 1\n",
        "stentor.toml:2: server.ephemeral is \"1\"; it must be true or false",
    );
    check(
        "[server]\nreactor = \"tokio\"\n",
        "stentor.toml:2: server.reactor is \"tokio\"; it must be one of glommio, standalone",
    );
    check(
        "[storage]\njournal = \"Segment\"\n",
        "stentor.toml:2: storage.journal is \"Segment\"; it must be one of segment, sled, memory",
    );
    check(
        "[limits]\nheaders_max = \"many\"\n",
        "stentor.toml:2: limits.headers_max is \"many\"; it must be 8 to 256 headers",
    );
    check(
        "[limits]\nheaders_max = -1\n",
        "stentor.toml:2: limits.headers_max is -1; it must be 8 to 256 headers",
    );
    check(
        "[limits]\nheaders_max = 64.0\n",
        "stentor.toml:2: limits.headers_max is of type float; it must be 8 to 256 headers",
    );
    check(
        "[limits]\nheaders_max = [64]\n",
        "stentor.toml:2: limits.headers_max is of type array; it must be 8 to 256 headers",
    );
    check("limits = 3\n", "stentor.toml:1: limits is integer; it must be a table, as [limits]");
    check("[limits]\nheaders_max = 0x40\n", "valid");
    check("[limits]\nheaders_max = 6_4\n", "valid");
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let check = |text: &str, expected: &str| {
        assert_eq!(Given::file(&format!("[limits]\n{text}\n")).error(), expected);
    };
    check("receive_buffers = 500", "limits.receive_buffers is 500; it must be a power of two");
    check(
        "body_bytes_max = 65_535",
        "limits.message_bytes_max is 65536; it must be at most limits.body_bytes_max, which is 65535",
    );
    check("outbox_total_bytes_max = 1_048_576", "valid");
    check(
        "outbox_bytes_max = 1_048_577\noutbox_total_bytes_max = 1_048_576",
        "limits.outbox_bytes_max is 1048577; it must be at most limits.outbox_total_bytes_max, which is 1048576",
    );
}

#[test]
fn a_file_that_is_no_toml_is_told_with_its_line() {
    let error = Given::file("[server]\nlisten = \n").error();
    assert!(error.starts_with("stentor.toml:2: "), "{error}");
    assert!(!error.contains('\n'), "{error}");
    let twice = Given::file("[server]\nshards = 1\nshards = 2\n").error();
    assert_eq!(twice, "stentor.toml:3: duplicate key");
}

#[test]
fn tenants_have_names_and_keys_of_the_right_form() {
    let good = tenant("demo", APPLICATION_KEY, MANAGEMENT_KEY);
    let check = |text: &str, expected: &str| assert_eq!(Given::file(text).error(), expected);
    check(&good, "valid");
    check("[[tenant]]\nname = \"demo\"\n", "valid");
    check("[[tenant]]\n", "stentor.toml:1: tenant.name is missing");
    check(
        "[tenant]\nname = \"demo\"\n",
        "stentor.toml:1: tenant is of type table; it must be a list, as [[tenant]]",
    );
    let name_rule = "it must be 1 to 64 of a-z, 0-9, - and _";
    for (name, shown) in
        [("", ""), ("Demo", "Demo"), ("a b", "a b"), ("ä", "ä"), ("a\\\"", "a\\\"")]
    {
        let text = format!("[[tenant]]\nname = \"{name}\"\n");
        check(&text, &format!("stentor.toml:2: tenant.name is \"{shown}\"; {name_rule}"));
    }
    for (bytes, expected) in [(63, true), (64, true), (65, false)] {
        let text = format!("[[tenant]]\nname = \"{}\"\n", "a".repeat(bytes));
        assert_eq!(Given::file(&text).error() == "valid", expected, "{bytes}");
    }
    let key_rule = "it must be coh_app_ and 20 of a-z and 0-9";
    for key in [
        "",
        "coh_app_",
        "coh_app_abcdefghij012345678",
        "coh_app_abcdefghij01234567890",
        "coh_app_ABCDEFGHIJ0123456789",
        MANAGEMENT_KEY,
    ] {
        let count = key.len();
        check(
            &tenant("demo", key, MANAGEMENT_KEY),
            &format!(
                "stentor.toml:4: tenant.cohesivity.application_key is {count} characters; {key_rule}"
            ),
        );
    }
    check(
        "[[tenant]]\nname = \"demo\"\n[tenant.cohesivity]\nmanagement_key = \"coh_man_abcdefghij0123456789\"\n",
        "stentor.toml:3: tenant.cohesivity.application_key is missing",
    );
    check(
        "[[tenant]]\nname = \"demo\"\nsigning_secret = \"abc\"\n",
        "stentor.toml:3: tenant.signing_secret is 3 characters; it must be 64 hexadecimal digits (openssl rand -hex 32 makes one)",
    );
}

#[test]
fn tenants_share_neither_name_nor_key() {
    let one = tenant("one", APPLICATION_KEY, MANAGEMENT_KEY);
    let other_application = "coh_app_00000000000000000000";
    let other_management = "coh_man_00000000000000000000";
    let check = |two: &str, expected: &str| {
        assert_eq!(Given::file(&format!("{one}{two}")).error(), expected);
    };
    check(&tenant("two", other_application, other_management), "valid");
    check(
        &tenant("one", other_application, other_management),
        "tenant.name \"one\" is given twice; each tenant has a name of its own",
    );
    check(
        &tenant("two", APPLICATION_KEY, other_management),
        "tenant.cohesivity.application_key of tenant \"two\" is also that of \"one\"; no two tenants share one",
    );
    check(
        &tenant("two", other_application, MANAGEMENT_KEY),
        "tenant.cohesivity.management_key of tenant \"two\" is also that of \"one\"; no two tenants share one",
    );
}

#[test]
fn no_error_tells_a_key() {
    let almost = "coh_app_abcdefghij012345678X";
    let error = Given::file(&tenant("demo", almost, MANAGEMENT_KEY)).error();
    assert!(!error.contains("abcdefghij"), "{error}");
}

#[test]
fn every_range_holds_at_both_ends() {
    let mut count = 0;
    for setting in SETTINGS {
        let Kind::Number { min, max, .. } = setting.kind else { continue };
        count += 1;
        // At the ends of its own range a value may still contradict another setting; that is another error.
        let outside = |text: &str| match load_flag(setting, text) {
            Ok(_) => false,
            Err(error) => error.ends_with(&format!("it must be {}", setting.range())),
        };
        for (value, expected) in [
            (i128::from(min) - 1, true),
            (min.into(), false),
            (max.into(), false),
            (i128::from(max) + 1, true),
        ] {
            assert_eq!(outside(&value.to_string()), expected, "{} = {value}", setting.path());
        }
    }
    assert!(count > 30, "{count} settings are numbers");
}

#[test]
fn the_default_file_and_what_is_shown_give_the_same_configuration() {
    let nothing = Sources::default().load().unwrap();
    let from_file = Given::file(&default_file()).sources.load().unwrap();
    let values = |loaded: &Loaded| {
        let text = shown(loaded, Secrets::Shown);
        let lines = text.lines().map(|it| it.split('#').next().unwrap_or_default().trim());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(values(&nothing), values(&from_file));
    let again = Given::file(&shown(&nothing, Secrets::Shown)).sources.load().unwrap();
    assert_eq!(values(&nothing), values(&again));
}

#[test]
fn what_is_shown_names_origins_and_masks_secrets() {
    let given = Given::file(&tenant("demo", APPLICATION_KEY, MANAGEMENT_KEY));
    let loaded = given.sources.load().unwrap();
    let masked = shown(&loaded, Secrets::Masked);
    assert!(masked.contains("application_key = \"coh_app_…89\""), "{masked}");
    assert!(!masked.contains(APPLICATION_KEY) && !masked.contains(MANAGEMENT_KEY), "{masked}");
    let whole = shown(&loaded, Secrets::Shown);
    assert!(whole.contains(APPLICATION_KEY) && whole.contains(MANAGEMENT_KEY), "{whole}");
    assert!(masked.lines().any(|it| it.starts_with("shards = 0 ") && it.ends_with("# default")));
}

#[test]
fn names_of_settings_are_unique_in_every_form() {
    for form in [Setting::path, Setting::variable, Setting::flag] {
        let mut names: Vec<_> = SETTINGS.iter().map(form).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), SETTINGS.len());
    }
}

#[test]
fn the_page_of_settings_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == settings_page(),
        "{}: run `stentor config doc > docs/settings.md`",
        path.display()
    );
}
