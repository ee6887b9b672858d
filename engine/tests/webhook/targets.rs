//! Hosts that deliveries may go to and may not, in every spelling.

use std::net::IpAddr;

use engine::side::webhook::{EgressRules, Private, Refusal, Scope, scope};

/// What becomes of a URL where private targets are refused, and where they are allowed.
#[derive(Clone, Copy)]
enum Fate {
    /// It is public: fine in both.
    Public,
    /// It is fine where private targets are.
    Private,
    /// It is never.
    Never,
}
use Fate::{Never, Private as Own, Public};

#[rustfmt::skip]
const HOSTS: &[(&str, Fate)] = &[
    // Public ones, next to what is not.
    ("93.184.216.34", Public), ("1.1.1.1", Public), ("9.255.255.255", Public), ("11.0.0.0", Public),
    ("100.63.255.255", Public), ("100.128.0.0", Public), ("126.255.255.255", Public), ("128.0.0.0", Public),
    ("169.253.255.255", Public), ("169.255.0.0", Public), ("172.15.255.255", Public), ("172.32.0.0", Public),
    ("192.167.255.255", Public), ("192.169.0.0", Public), ("198.17.255.255", Public), ("198.20.0.0", Public),
    ("223.255.255.255", Public), ("[2606:2800:220:1:248:1893:25c8:1946]", Public), ("[2001:4860:4860::8888]", Public),
    ("example.com", Public), ("example.com.", Public), ("xn--ksekuchen-z2a.de", Public),
    // This host and the networks around it.
    ("127.0.0.1", Own), ("127.255.255.255", Own), ("10.0.0.1", Own), ("10.255.255.255", Own), ("172.16.0.1", Own),
    ("172.31.255.255", Own), ("192.168.0.1", Own), ("192.168.255.255", Own), ("100.64.0.1", Own), ("100.127.255.255", Own),
    ("198.18.0.1", Own), ("198.19.255.255", Own), ("[::1]", Own), ("[fc00::1]", Own), ("[fdff:ffff::1]", Own),
    // The same in other spellings.
    ("2130706433", Own), ("0x7f000001", Own), ("0x7f.0.0.1", Own), ("0177.0.0.1", Own), ("017700000001", Own), ("127.1", Own),
    ("127.0.1", Own), ("127.0.0.1.", Own), ("0x0a.0.0.1", Own), ("167772161", Own), ("012.0.0.1", Own), ("192.168.257", Own),
    ("\u{ff11}\u{ff12}\u{ff17}.0.0.1", Own), ("127%2e0%2e0%2e1", Own), ("127\u{3002}0\u{3002}0\u{3002}1", Own),
    // Inside of other addresses.
    ("[::ffff:127.0.0.1]", Own), ("[::ffff:7f00:1]", Own), ("[0:0:0:0:0:ffff:10.0.0.1]", Own), ("[64:ff9b::10.0.0.1]", Own),
    ("[2002:7f00:1::]", Own), ("[2002:c0a8:101::1]", Own), ("[64:ff9b::5db8:d822]", Public), ("[::ffff:1.1.1.1]", Public),
    ("[2002:5db8:d822::1]", Public),
    // Nobody's, or services of clouds.
    ("0.0.0.0", Never), ("0", Never), ("0.1.2.3", Never), ("169.254.169.254", Never), ("2852039166", Never),
    ("0xa9fea9fe", Never), ("0251.0376.0251.0376", Never), ("[::ffff:169.254.169.254]", Never), ("[::ffff:a9fe:a9fe]", Never),
    ("[64:ff9b::a9fe:a9fe]", Never), ("[2002:a9fe:a9fe::1]", Never), ("100.100.100.200", Never), ("168.63.129.16", Never),
    ("[fd00:ec2::254]", Never), ("[fd20:ce::254]", Never), ("169.254.0.1", Never), ("[fe80::1]", Never), ("[febf::1]", Never),
    ("192.0.0.192", Never), ("192.0.2.1", Never), ("198.51.100.7", Never), ("203.0.113.9", Never), ("192.88.99.1", Never),
    ("224.0.0.1", Never), ("239.255.255.255", Never), ("240.0.0.1", Never), ("255.255.255.255", Never), ("[::]", Never),
    ("[::127.0.0.1]", Never), ("[::ffff:0:127.0.0.1]", Never), ("[64:ff9b:1::1]", Never), ("[100::1]", Never),
    ("[2001:db8::1]", Never), ("[fec0::1]", Never), ("[ff02::1]", Never), ("[ff0e::1]", Never), ("[3fff::1]", Never),
    ("[2001:2::1]", Never), ("[2001:10::1]", Never), ("[5f00::1]", Never),
    // Teredo: a private server; a private client, bits inverted; both public.
    ("[2001:0:7f00:1::]", Never), ("[2001:0:5db8:d822:0:0:80ff:fffe]", Never), ("[2001:0:5db8:d822:0:0:a247:27dd]", Public),
];

fn rules(private: Private) -> EgressRules {
    EgressRules { private, ..EgressRules::default() }
}

#[test]
fn every_host_of_the_table_is_what_it_is() {
    assert!(HOSTS.len() > 60);
    for (host, fate) in HOSTS {
        let url = format!("https://{host}/hook?a=b");
        let strict = rules(Private::Refused).target(&url);
        let open = rules(Private::Allowed).target(&url);
        match fate {
            Public => assert!(strict.is_ok() && open.is_ok(), "{host}: {strict:?} {open:?}"),
            Own => {
                assert_eq!(strict, Err(Refusal::Private), "{host}");
                assert!(open.is_ok(), "{host}: {open:?}");
            }
            Never => {
                assert_eq!(
                    (&strict, &open),
                    (&Err(Refusal::Address), &Err(Refusal::Address)),
                    "{host}"
                );
            }
        }
    }
}

#[test]
fn a_url_is_refused_with_the_reason() {
    let long = format!("https://example.com/{}", "a".repeat(2_048));
    for (url, expected) in [
        ("", Refusal::Syntax),
        ("example.com", Refusal::Syntax),
        ("https://", Refusal::Syntax),
        ("https://a b/", Refusal::Syntax),
        ("https://example.com/\r\nX: 1", Refusal::Syntax),
        ("https://exam\tple.com/", Refusal::Syntax),
        ("https://256.1.1.1/", Refusal::Syntax),
        ("https://1.2.3.4.5/", Refusal::Syntax),
        ("https://0x7f.0.0.0.1/", Refusal::Syntax),
        ("https://[::1", Refusal::Syntax),
        ("https://[fe80::1%25eth0]/", Refusal::Syntax),
        ("ftp://example.com/", Refusal::Scheme),
        ("file:///etc/passwd", Refusal::Scheme),
        ("gopher://127.0.0.1/", Refusal::Scheme),
        ("http://example.com/", Refusal::Scheme),
        ("https://user@example.com/", Refusal::Credentials),
        ("https://user:pass@example.com/", Refusal::Credentials),
        ("https://example.com@127.0.0.1/", Refusal::Credentials),
        ("https://example.com:22/", Refusal::Port { port: 22 }),
        ("https://example.com:8443/", Refusal::Port { port: 8_443 }),
        ("http://127.0.0.1/", Refusal::Private),
        (long.as_str(), Refusal::Length { bytes: long.len() }),
    ] {
        assert_eq!(rules(Private::Refused).target(url), Err(expected), "{url}");
    }
    // A private target may have any port and no TLS, a public one may not.
    let open = EgressRules { private: Private::Allowed, ports: vec![443, 8_443] };
    assert!(open.target("http://127.0.0.1:9000/hook").is_ok());
    assert!(open.target("https://93.184.216.34:8443/").is_ok());
    assert_eq!(open.target("http://93.184.216.34/"), Err(Refusal::Scheme));
    assert_eq!(open.target("https://93.184.216.34:81/"), Err(Refusal::Port { port: 81 }));
    // What a name turns out to be is checked with its addresses.
    let named = open.target("http://receiver.test/").unwrap();
    let check = |text: &str| open.check(&named, &[text.parse().unwrap()]);
    assert_eq!(check("10.1.2.3"), Ok(()));
    assert_eq!(check("93.184.216.34"), Err(Refusal::Scheme));
    assert_eq!(check("169.254.169.254"), Err(Refusal::Address));
    // All answers count, not the first.
    let both: [IpAddr; 2] = ["10.1.2.3".parse().unwrap(), "169.254.169.254".parse().unwrap()];
    assert_eq!(open.check(&named, &both), Err(Refusal::Address));
}

proptest::proptest! {
    #[test]
    fn no_text_leads_past_the_table(text in "(https?://)?[a-z0-9.:@/%\\[\\]x\\\\#?-]{0,40}") {
        if let Ok(target) = rules(Private::Refused).target(&text) {
            let host = target.url().host_str().unwrap();
            let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
            assert!(address.map_or(true, |it| scope(it) == Scope::Public), "{text}");
            assert_eq!(target.url().scheme(), "https");
        }
    }

    #[test]
    fn an_address_within_an_address_is_what_it_is(bits in proptest::prelude::any::<u32>()) {
        let inner = std::net::Ipv4Addr::from_bits(bits);
        let [a, b, c, d] = inner.octets();
        for text in [
            format!("::ffff:{inner}"),
            format!("64:ff9b::{inner}"),
            format!("2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1"),
        ] {
            assert_eq!(scope(text.parse().unwrap()), scope(inner.into()), "{text}");
        }
        let teredo = format!("2001:0:{a:02x}{b:02x}:{c:02x}{d:02x}::a247:27dd");
        let is_public = scope(inner.into()) == Scope::Public;
        assert_eq!(scope(teredo.parse().unwrap()) == Scope::Public, is_public, "{teredo}");
    }
}

#[test]
fn every_listed_block_is_closed_from_its_first_address_to_its_last() {
    #[rustfmt::skip]
    let blocks = [
        ("0.0.0.0", "0.255.255.255"), ("10.0.0.0", "10.255.255.255"), ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"), ("169.254.0.0", "169.254.255.255"), ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"), ("192.168.0.0", "192.168.255.255"), ("198.18.0.0", "198.19.255.255"),
        ("224.0.0.0", "239.255.255.255"), ("240.0.0.0", "255.255.255.255"), ("::1", "::1"), ("::", "::"),
        ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ("::ffff:127.0.0.0", "::ffff:127.255.255.255"),
    ];
    for (first, last) in blocks {
        for text in [first, last] {
            assert_ne!(scope(text.parse().unwrap()), Scope::Public, "{text}");
        }
    }
}
