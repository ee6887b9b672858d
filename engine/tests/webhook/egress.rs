//! The way out against real servers on loopback: what it follows, how long it waits, how much it reads, and whom it believes.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::ids::{ChannelKey, Epoch, MessageId, Offset, TenantId};
use engine::side::Authorities;
use engine::side::webhook::{
    DeliveryForm, Egress, EgressRules, Fault, Nameservers, Outcome, Private, WebhookLimits,
};
use storage::{Draft, Publication};

use crate::dns::Dns;
use crate::receiver::{OK, Receiver, Reply};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

pub(crate) struct Way {
    runtime: tokio::runtime::Runtime,
    egress: Egress,
    rules: Arc<EgressRules>,
}

fn way(nameservers: &Nameservers) -> Way {
    way_with(nameservers, &Authorities::default())
}

pub(crate) fn way_with(nameservers: &Nameservers, authorities: &Authorities) -> Way {
    let rules = EgressRules { private: Private::Allowed, ..EgressRules::default() };
    let limits = WebhookLimits {
        connect_timeout_ms: 400,
        answer_timeout_ms: 800,
        ..WebhookLimits::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rules = Arc::new(rules);
    let egress = {
        let _inside = runtime.enter();
        Egress::new(Arc::clone(&rules), nameservers, authorities, &limits).unwrap()
    };
    Way { runtime, egress, rules }
}

impl Way {
    pub(crate) fn post(&self, url: &str) -> Outcome {
        let channel = Arc::new(ChannelKey::new(TenantId(1), "room:1"));
        let message = Arc::new(Publication::new(&Draft {
            channel: &channel,
            epoch: Epoch(1),
            offset: Some(Offset(1)),
            id: MessageId(1),
            at_ms: 1_711_111_111_111,
            sender: "ada",
            sender_kind: storage::SenderKind::System,
            event: "said",
            payload: b"{\"a\":1}",
            idempotency: None,
        }));
        let (headers, body) = DeliveryForm::default().make("hook", &message, 1_711_111_112_000);
        let target = self.rules.target(url).unwrap();
        self.runtime.block_on(self.egress.post(&target, headers, body))
    }
}

pub(crate) fn answered(status: u16) -> Outcome {
    Outcome::Answered { status, retry_after_ms: None }
}

#[test]
fn a_delivery_is_one_request_and_its_connection_is_used_again() {
    let receiver = Receiver::start(|_, _| Reply::Status(201, ""));
    let way = way(&Nameservers::System);
    for _ in 0..5 {
        assert_eq!(way.post(&receiver.url()), answered(201));
    }
    let seen = receiver.seen();
    assert_eq!((seen.len(), receiver.connections()), (5, 1));
    assert_eq!(seen[0].line, "POST /hook HTTP/1.1");
    assert_eq!(seen[0].header("host"), Some(receiver.address.to_string().as_str()));
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert!(seen[0].header("cookie").is_none() && seen[0].header("authorization").is_none());
}

#[test]
fn a_redirect_is_an_answer_and_not_a_way() {
    let inner = Receiver::start(|_, _| OK);
    let location: &'static str = format!("Location: {}\r\n", inner.url()).leak();
    for status in [301, 302, 303, 307, 308] {
        let receiver = Receiver::start(move |_, _| Reply::Status(status, location));
        assert_eq!(way(&Nameservers::System).post(&receiver.url()), answered(status));
    }
    assert!(inner.seen().is_empty());
}

#[test]
fn an_answer_without_an_end_is_cut_off_and_its_status_counts() {
    let receiver = Receiver::start(|_, count| if count == 0 { Reply::Endless } else { OK });
    let way = way(&Nameservers::System);
    let begun = Instant::now();
    assert_eq!(way.post(&receiver.url()), answered(200));
    // It would go on for as long as it is read; a quarter of a second is enough.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // That connection is not used again.
    assert_eq!(way.post(&receiver.url()), answered(200));
    assert_eq!(receiver.connections(), 2);
}

#[test]
fn whoever_takes_too_long_has_not_answered() {
    for reply in [Reply::Silence, Reply::SlowHead, Reply::After(Duration::from_secs(5))] {
        let of_server = reply.clone();
        let receiver = Receiver::start(move |_, _| of_server.clone());
        let begun = Instant::now();
        let outcome = way(&Nameservers::System).post(&receiver.url());
        assert_eq!(outcome, Outcome::Unreachable(Fault::Time), "{reply:?}");
        let waited = begun.elapsed();
        assert!(waited >= Duration::from_millis(780), "{waited:?}");
        assert!(waited < Duration::from_secs(4), "{waited:?}");
    }
}

#[test]
fn whoever_does_not_take_the_connection_or_cuts_it_has_not_answered() {
    let receiver = Receiver::start(|_, _| Reply::Cut);
    let failed = Outcome::Unreachable(Fault::Connection);
    assert_eq!(way(&Nameservers::System).post(&receiver.url()), failed);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(way(&Nameservers::System).post(&closed), failed);
}

#[test]
fn retry_after_is_read_in_seconds() {
    for (line, expected) in [
        ("Retry-After: 7\r\n", Some(7_000)),
        ("Retry-After: 0\r\n", Some(0)),
        ("Retry-After: soon\r\n", None),
        ("Retry-After: -1\r\n", None),
        ("Retry-After: 99999999999999999999\r\n", None),
        ("Retry-After: 18446744073709551615\r\n", Some(u64::MAX)),
    ] {
        let receiver = Receiver::start(move |_, _| Reply::Status(503, line));
        let outcome = way(&Nameservers::System).post(&receiver.url());
        assert_eq!(outcome, Outcome::Answered { status: 503, retry_after_ms: expected }, "{line}");
    }
}

#[test]
fn a_name_that_moves_to_a_forbidden_address_is_refused_even_where_a_connection_is_open() {
    let receiver = Receiver::start(|_, _| OK);
    // The first delivery may ask twice: for the check and for the connection.
    let moved = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let of_server = Arc::clone(&moved);
    let dns = Dns::start(move |_, _| {
        let has_moved = of_server.load(std::sync::atomic::Ordering::Relaxed);
        Some(vec![if has_moved { METADATA } else { HERE }])
    });
    let way = way(&Nameservers::Listed(vec![dns.address]));
    let url = format!("http://receiver.test:{}/hook", receiver.address.port());
    assert_eq!(way.post(&url), answered(200));
    let host = format!("receiver.test:{}", receiver.address.port());
    assert_eq!(receiver.seen()[0].header("host"), Some(host.as_str()));
    let asked = dns.asked("receiver.test");
    moved.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(way.post(&url), Outcome::Forbidden);
    assert!(dns.asked("receiver.test") > asked, "each attempt asks again");
    assert_eq!((receiver.seen().len(), receiver.connections()), (1, 1));
}

#[test]
fn a_name_that_answers_otherwise_to_the_check_and_to_the_connection_gets_nowhere() {
    // The forbidden one is this host: were it connected to, it would be seen.
    let receiver = Receiver::start(|_, _| OK);
    let dns = Dns::start(|_, count| Some(vec![if count % 2 == 0 { HERE } else { METADATA }]));
    let way = way(&Nameservers::Listed(vec![dns.address]));
    let url = format!("http://rebind.test:{}/hook", receiver.address.port());
    assert_eq!(way.post(&url), Outcome::Forbidden);
    assert!(dns.asked("rebind.test") >= 2);
    assert!(receiver.seen().is_empty());
}

#[test]
fn one_forbidden_address_among_others_forbids_the_name() {
    let receiver = Receiver::start(|_, _| OK);
    for addresses in [
        vec![HERE, METADATA],
        vec![METADATA, HERE],
        vec![HERE, "fe80::1".parse().unwrap()],
        vec![HERE, "::ffff:169.254.169.254".parse().unwrap()],
        vec![HERE, "2002:a9fe:a9fe::1".parse().unwrap()],
    ] {
        let answer = addresses.clone();
        let dns = Dns::start(move |_, _| Some(answer.clone()));
        let way = way(&Nameservers::Listed(vec![dns.address]));
        let url = format!("http://both.test:{}/hook", receiver.address.port());
        assert_eq!(way.post(&url), Outcome::Forbidden, "{addresses:?}");
    }
    assert!(receiver.seen().is_empty());
}

#[test]
fn a_name_without_an_address_or_without_a_server_is_unreachable() {
    let dns = Dns::start(|name, _| if name == "silent.test" { None } else { Some(Vec::new()) });
    let way = way(&Nameservers::Listed(vec![dns.address]));
    assert_eq!(way.post("http://nobody.test/"), Outcome::Unreachable(Fault::Name));
    let begun = Instant::now();
    let outcome = way.post("http://silent.test/");
    assert!(matches!(outcome, Outcome::Unreachable(Fault::Name | Fault::Time)), "{outcome:?}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
