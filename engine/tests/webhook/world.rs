//! Deliveries on real files: a journal with its thread, places in a catalog, and the thread of webhooks over both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use engine::ids::{ChannelKey, Epoch, MessageId, Offset, TenantId};
use engine::reactor::Clock;
use engine::side::webhook::{
    CatalogPlaces, Counts, EgressRules, EndpointKey, EndpointStatus, Hook, Hooks, Ledger, Letter,
    Pick, Places, Private, ReplayFault, Source, WebhookDoor, WebhookLimits, WebhookOptions,
    WebhookParts, Webhooks,
};
use storage::{
    Answer, Draft, JournalKind, JournalOptions, Publication, QueueLimits, Writer, WriterHandle,
};

pub(crate) const TENANT: TenantId = TenantId(7);
const READ_TIMEOUT: Duration = Duration::from_secs(5);

type Told = Arc<Mutex<BTreeMap<u128, Counts>>>;

pub(crate) struct World {
    dir: PathBuf,
    pub(crate) options: WebhookOptions,
    pub(crate) writer: WriterHandle,
    running: Option<(Webhooks, WebhookDoor)>,
    offsets: BTreeMap<String, u64>,
    told: Told,
    messages: u128,
}

struct Teller(Told);

impl Ledger for Teller {
    fn count(&mut self, message: &Publication, counts: Counts) {
        self.0.lock().unwrap().insert(message.id().0, counts);
    }
}

/// `room:1` belongs to the hook `room`.
struct ByPrefix(Vec<Arc<str>>);

impl Pick for ByPrefix {
    fn hook(&self, channel: &str) -> Option<&str> {
        let (prefix, _) = channel.split_once(':')?;
        self.0.iter().map(|it| &**it).find(|it| *it == prefix)
    }
}

/// Patience for tests: a second is long.
pub(crate) fn options() -> WebhookOptions {
    WebhookOptions {
        limits: WebhookLimits {
            retry_wait_ms: 20,
            connect_timeout_ms: 1_000,
            answer_timeout_ms: 2_000,
            breaker_wait_ms: 200,
            breaker_wait_ms_max: 400,
            save_ms: 20,
            poll_ms: 500,
            ..WebhookLimits::default()
        },
        rules: EgressRules { private: Private::Allowed, ..EgressRules::default() },
        ..WebhookOptions::default()
    }
}

pub(crate) fn hook(id: &str, urls: &[String]) -> Hook {
    Hook { id: id.into(), urls: urls.iter().map(|it| it.as_str().into()).collect() }
}

pub(crate) fn key(hook: &str, url: &str) -> EndpointKey {
    EndpointKey { tenant: TENANT, hook: hook.into(), url: url.into() }
}

/// Asks again and again until there is an answer.
pub(crate) fn wait_until<T>(ask: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "it does not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl World {
    pub(crate) fn open(dir: &Path, options: WebhookOptions) -> Self {
        let settings = JournalOptions { segment_bytes: 4 * 1024 * 1024, ..Default::default() };
        let journal = storage::open(JournalKind::Segment, &dir.join("journal"), &settings).unwrap();
        let stands = journal.channels_of(TENANT);
        let name = |key: &ChannelKey| key.name().to_owned();
        let offsets = stands.iter().map(|(key, it)| (name(key), it.position.offset.0)).collect();
        let limits = QueueLimits::default();
        let writer = Writer::spawn("journal", journal, limits, Box::new(|| {})).unwrap();
        Self {
            dir: dir.to_owned(),
            options,
            writer,
            running: None,
            offsets,
            told: Told::default(),
            messages: u128::from(std::process::id()) << 64,
        }
    }

    /// A world that runs and has these hooks.
    pub(crate) fn start(dir: &Path, options: WebhookOptions, hooks: &[Hook]) -> Self {
        let mut world = Self::open(dir, options);
        world.run();
        world.set(hooks);
        world
    }

    pub(crate) fn run(&mut self) {
        self.run_on(CatalogPlaces::open(&self.dir.join("webhooks")).unwrap());
    }

    pub(crate) fn run_on(&mut self, places: impl Places) {
        let parts = WebhookParts {
            source: Source::new(vec![self.writer.reader(READ_TIMEOUT)]),
            ledger: Box::new(Teller(Arc::clone(&self.told))),
            clock: Clock::start(),
        };
        self.running = Some(Webhooks::start(self.options.clone(), parts, places).unwrap());
    }

    /// Ends the deliveries, with a last save.
    pub(crate) fn stop(&mut self) {
        let (webhooks, door) = self.running.take().unwrap();
        drop(door);
        webhooks.join().unwrap();
    }

    pub(crate) fn door(&self) -> &WebhookDoor {
        &self.running.as_ref().unwrap().1
    }

    pub(crate) fn set(&self, hooks: &[Hook]) {
        self.set_version(0, hooks);
    }

    pub(crate) fn set_version(&self, version: u64, hooks: &[Hook]) {
        let (answer, answers) = channel();
        let pick = Arc::new(ByPrefix(hooks.iter().map(|it| Arc::clone(&it.id)).collect()));
        let hooks = Hooks { version, list: hooks.to_vec(), pick };
        self.door().set(TENANT, hooks, Box::new(move |it| answer.send(it).unwrap())).unwrap();
        answers.recv_timeout(Duration::from_secs(30)).unwrap().unwrap();
    }

    /// Publishes a message with a number in it, and waits until it is durable. Returns its id.
    pub(crate) fn publish(&mut self, channel: &str, number: u64) -> u128 {
        self.publish_as(channel, "said", &format!("{{\"n\":{number}}}"))
    }

    pub(crate) fn publish_as(&mut self, channel: &str, event: &str, payload: &str) -> u128 {
        let id = self.append(channel, event, payload);
        while !matches!(self.writer.wait(), Some(Answer::Committed { count: 1 })) {}
        id
    }

    fn append(&mut self, channel: &str, event: &str, payload: &str) -> u128 {
        self.messages += 1;
        let offset = self.offsets.entry(channel.to_owned()).or_default();
        *offset += 1;
        let publication = Publication::new(&Draft {
            channel: &Arc::new(ChannelKey::new(TENANT, channel)),
            epoch: Epoch(1),
            offset: Some(Offset(*offset)),
            id: MessageId(self.messages),
            at_ms: Clock::start().now().wall_ms,
            sender: "ada",
            sender_kind: storage::SenderKind::User,
            event,
            payload: payload.as_bytes(),
            idempotency: None,
        });
        self.writer.try_append(Arc::new(publication)).unwrap();
        self.messages
    }

    /// Publishes messages one by one; returns their ids.
    pub(crate) fn publish_each(
        &mut self,
        channel: &str,
        numbers: std::ops::Range<u64>,
    ) -> Vec<u128> {
        numbers.map(|it| self.publish(channel, it)).collect()
    }

    /// Publishes many at once.
    pub(crate) fn publish_many(&mut self, channel: &str, numbers: std::ops::Range<u64>) {
        let mut left = numbers.end - numbers.start;
        for number in numbers {
            self.append(channel, "said", &format!("{{\"n\":{number}}}"));
        }
        while left > 0 {
            match self.writer.wait() {
                Some(Answer::Committed { count }) => left -= count as u64,
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn status(&self, of: &EndpointKey) -> EndpointStatus {
        let (answer, answers) = channel();
        self.door().status(TENANT, Box::new(move |it| answer.send(it).unwrap())).unwrap();
        let all = answers.recv_timeout(Duration::from_secs(30)).unwrap();
        all.into_iter().find(|it| it.endpoint == *of).unwrap()
    }

    pub(crate) fn letters(&self, of: &EndpointKey) -> Option<Vec<Letter>> {
        let (answer, answers) = channel();
        let reply = Box::new(move |it| answer.send(it).unwrap());
        self.door().letters(of.clone(), 0, 100, reply).unwrap();
        answers.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    /// Waits until an endpoint has so many dead letters on disk.
    pub(crate) fn wait_for_letters(&self, of: &EndpointKey, count: usize) -> Vec<Letter> {
        let is_enough = |letters: &[Letter]| letters.len() == count;
        self.wait_until_letters(of, |it| is_enough(it) && self.status(of).letters == count)
    }

    pub(crate) fn wait_until_letters(
        &self,
        of: &EndpointKey,
        is_fine: impl Fn(&[Letter]) -> bool,
    ) -> Vec<Letter> {
        wait_until(|| self.letters(of).filter(|it| is_fine(it)))
    }

    pub(crate) fn replay(&self, of: &EndpointKey, letter: u64) -> Result<(), ReplayFault> {
        let (answer, answers) = channel();
        let reply = Box::new(move |it| answer.send(it).unwrap());
        self.door().replay(of.clone(), letter, reply).unwrap();
        answers.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    /// Waits for the counts of a message.
    pub(crate) fn counts(&self, id: u128) -> Counts {
        wait_until(|| self.told.lock().unwrap().get(&id).copied())
    }

    pub(crate) fn is_told(&self, id: u128) -> bool {
        self.told.lock().unwrap().contains_key(&id)
    }
}
