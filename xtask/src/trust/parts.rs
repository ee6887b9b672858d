//! The parts, and what runs each: arguments of cargo, a line a command.

/// A part, and what runs it.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) commands: &'static [&'static str],
}

pub(super) const PARTS: [Part; 12] = [
    Part {
        name: "seeds",
        about: "100,000 seeds of the simulator",
        commands: &[
            "test --profile=trust --locked --package=engine --test=sim every_seed -- --nocapture",
        ],
    },
    Part {
        name: "power",
        about: "power cuts, kill -9, full and failing disks, flipped bits; as root: without it the part does not pass",
        commands: &[
            "test --profile=trust --locked --package=storage --test=* --no-fail-fast -- --nocapture",
            "test --profile=trust --locked --package=engine --test=server -- crash:: disk:: --nocapture",
            "test --profile=trust --locked --package=engine --test=webhook -- crash:: --nocapture",
        ],
    },
    Part {
        name: "wire",
        about: "301 cases of Autobahn; raw requests alone and behind haproxy; 10,000,000 streams against hyper",
        commands: &[
            "test --profile=trust --locked --package=engine --test=server -- --nocapture autobahn:: h1:: proxy:: strict::",
            "test --profile=trust --locked --package=protocol --test=http_cases --test=hyper -- --nocapture",
        ],
    },
    Part {
        name: "coverage",
        about: "lines of protocol that its tests run",
        commands: &["run --quiet --package=xtask -- coverage"],
    },
    Part {
        name: "supply",
        about: "licences, sources and known faults of what is linked, and the list of it",
        commands: &["xtask supply"],
    },
    Part {
        name: "host",
        about: "what a ring may do, and what a node says and needs on hosts that allow less",
        commands: &[
            "test --profile=trust --locked --package=engine --lib reactor::ring",
            "test --profile=trust --locked --package=engine --test=server deploy:: -- --nocapture --test-threads=1",
        ],
    },
    Part {
        name: "isolation",
        about: "every call of every dialect by a second tenant, forged tokens, secrets in what is written",
        commands: &[
            "test --profile=trust --locked --package=engine --test=server twins:: -- --nocapture --test-threads=1",
            "test --profile=trust --locked --package=engine --test=server canary::",
            "test --profile=trust --locked --package=protocol --test=forged --test=forged_infrai --test=forged_insforge -- --nocapture",
        ],
    },
    Part {
        name: "history",
        about: "ten minutes of chaos, and whether the history of its clients keeps every promise",
        commands: &["test --profile=trust --locked --package=engine --test=chaos -- --nocapture"],
    },
    Part {
        name: "overload",
        about: "peers that are mute, slow or flood, everybody back at once, one channel with everybody, a tenant over its quota",
        commands: &[
            "test --profile=trust --locked --package=engine --test=overload -- --nocapture --test-threads=1",
        ],
    },
    Part {
        name: "resources",
        about: "few descriptors and none, little memory, pages of other origins; as root: without it the part does not pass",
        commands: &[
            "test --profile=trust --locked --package=storage --test=descriptors -- --nocapture",
            "test --profile=trust --locked --package=engine --test=limits -- --nocapture --test-threads=1",
        ],
    },
    Part {
        name: "fuzz",
        about: "every fuzz target, FUZZ_SECONDS each",
        commands: &["run --locked --package=xtask -- fuzz"],
    },
    Part {
        name: "concurrency",
        about: "lanes and doorbells under every order of steps",
        commands: &[
            "test --profile=trust --locked --package=engine --test=concurrency -- --nocapture",
        ],
    },
];
