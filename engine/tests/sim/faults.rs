//! What a seed decides: the size of the node, its limits, and which faults it suffers. Swarm testing: each seed enables a
//! random subset, because a run in which everything fails at once shows less than many runs with few faults each.

use engine::control::{Paced, Rate};
use engine::limits::Limits;

use crate::random::Random;

/// One kind of trouble.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Lanes are short, now and then one is held up, and shards take turns unevenly.
    SlowLanes,
    /// The journal takes its time and commits in batches.
    SlowJournal,
    /// The journal is full for a while.
    FullJournal,
    /// The journal of one shard fails for good.
    FencedJournal,
    /// Peers disappear at any byte.
    Closes,
    /// Peers stop reading.
    SlowReaders,
    /// The monotonic clock jumps ahead, the wall clock anywhere.
    ClockJumps,
    /// Peers send what is no request and no frame.
    Garbage,
    /// Bytes come in small pieces.
    Chopped,
    /// Limits are so small that they are reached.
    TinyLimits,
    /// The node crashes and starts again.
    Crash,
    /// The run ends with a drain.
    Drain,
    /// Stored messages cannot be read any more.
    Damage,
    /// Servers delete again and again.
    Deletions,
    /// Shards have no room for connections that others pass to them.
    NoRoom,
    /// Shards sleep when they have nothing to do, and the doorbell that wakes them comes late or not at all.
    LateBells,
    /// A core is held up for long, while the others go on.
    Stalls,
    /// A read of the journal fails, and the next one does not.
    FailingReads,
    /// Reads of one channel take long; those of others overtake them.
    SlowReads,
    /// What a shard has of the catalog fails for good.
    FencedCatalog,
    /// The catalog takes its time.
    SlowCatalog,
    /// Tenants get other signing keys, of which shards hear one after the other.
    KeyRotation,
    /// The operator changes who may publish.
    PolicyChanges,
    /// The side threads take their time, answer in another order, and refuse.
    LateSides,
    /// The wall clock goes back while the node is down.
    WallClockBack,
    /// Peers vanish without a word.
    HalfOpenPeers,
    /// Peers answer no pings.
    MutePeers,
    /// Peers say half of something, and nothing any more.
    HalfFrames,
    /// Servers whose connection ended before an answer publish again with their key.
    KeyedRetries,
    /// The node drains in the middle of the run, and starts again.
    DrainedRestart,
    /// The node crashes while it drains.
    CrashInDrain,
    /// The node crashes again as soon as it has started.
    CrashTwice,
    /// Memory of the node runs short, and suffices again.
    ShortMemory,
    /// Connections end while a fan-out of several slices waits for them.
    FanOutCloses,
    /// A journal has room for one read at a time.
    BusyJournals,
}

impl Fault {
    /// Those that came last, in order, each in about a sixth of the seeds.
    const LATER: [Self; 20] = [
        Self::LateBells,
        Self::Stalls,
        Self::FailingReads,
        Self::SlowReads,
        Self::FencedCatalog,
        Self::SlowCatalog,
        Self::KeyRotation,
        Self::PolicyChanges,
        Self::LateSides,
        Self::WallClockBack,
        Self::HalfOpenPeers,
        Self::MutePeers,
        Self::HalfFrames,
        Self::KeyedRetries,
        Self::DrainedRestart,
        Self::CrashInDrain,
        Self::CrashTwice,
        Self::ShortMemory,
        Self::FanOutCloses,
        Self::BusyJournals,
    ];
}

/// Who comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Crowd {
    /// Everyone.
    Mixed,
    /// Mostly servers, which delete.
    Deleting,
    /// Mostly clients that poll.
    Polling,
    /// Mostly sockets on one channel.
    Listening,
}

/// What one seed is about.
#[derive(Clone, Debug)]
pub struct Plan {
    /// All of the run's chance.
    pub seed: u64,
    /// Shards of the node.
    pub shards: u16,
    /// Channels of each tenant.
    pub channels: usize,
    /// Clients at a time.
    pub clients: usize,
    /// How long the run is.
    pub turns: usize,
    /// Inputs that a shard takes in one turn.
    pub inputs_per_turn: usize,
    /// Messages that a lane holds.
    pub lane_max: usize,
    /// Bytes that wait for one connection.
    pub outbox_bytes_max: usize,
    /// Bounds of each shard.
    pub limits: Limits,
    /// Who comes, if it is about something that few do.
    pub crowd: Crowd,
    faults: u64,
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        // Each fault in about a third of the seeds; the first seeds have none, so that a plain bug is shown plainly.
        let faults = if seed < 4 {
            0_u64
        } else {
            (0..12).filter(|_| random.permille(350)).fold(0, |set, bit| set | (1 << bit))
        };
        let mut plan = Self {
            seed,
            shards: random.one_of(&[1, 2, 2, 3, 4, 4, 7, 16]),
            channels: 1 + random.below(4),
            clients: 4 + random.below(12),
            turns: 250 + random.below(300),
            inputs_per_turn: 1 + random.below(12),
            lane_max: 256,
            outbox_bytes_max: 1 << 20,
            limits: Limits::default(),
            crowd: Crowd::Mixed,
            faults,
        };
        plan.limit(&mut random);
        if seed >= 4 && random.permille(350) {
            plan.faults |= 1 << Fault::Damage as u32;
        }
        if seed >= 4 && random.permille(250) {
            plan.faults |= 1 << Fault::Deletions as u32;
        }
        if seed >= 4 && random.permille(250) {
            plan.faults |= 1 << Fault::NoRoom as u32;
        }
        for fault in Fault::LATER {
            if seed >= 4 && random.permille(160) {
                plan.faults |= 1 << fault as u32;
            }
        }
        plan.slice(&mut random);
        plan
    }

    /// Many on one channel, and turns that send to few of them, where connections are to end in between.
    fn slice(&mut self, random: &mut Random) {
        if self.has(Fault::FanOutCloses) {
            (self.shards, self.channels, self.clients) = (1 + self.shards % 2, 1, 16);
            self.crowd = Crowd::Listening;
            self.limits.deliveries_per_turn_max = random.one_of(&[1, 2, 3]);
            self.outbox_bytes_max = random.one_of(&[1_000, 5_000, 1 << 20]);
        }
    }

    /// The same with nothing but slow lanes and journals, and servers that delete.
    pub fn deleting(mut self) -> Self {
        let faults = [Fault::SlowLanes, Fault::SlowJournal, Fault::Deletions];
        self.faults = faults.into_iter().fold(0, |set, it| set | (1_u64 << it as u32));
        self.limits = Limits::default();
        self.limit(&mut Random::new(self.seed));
        // One channel that all servers publish to and delete, and lanes between them.
        self.shards = self.shards.clamp(2, 4);
        self.channels = 1;
        self.clients = 16;
        self.outbox_bytes_max = 1 << 20;
        self.crowd = Crowd::Deleting;
        self
    }

    /// The same with tails that hold everything: nothing that is read of the past comes from the journal.
    pub fn remembering(mut self) -> Self {
        self.limits.tail_messages_max = 128;
        self
    }

    /// The same with one more fault.
    pub fn suffering(mut self, fault: Fault) -> Self {
        self.faults |= 1 << fault as u32;
        self
    }

    /// The same with clients that poll, and change their connection.
    pub fn polling(mut self) -> Self {
        self.shards = self.shards.clamp(2, 4);
        self.clients = 16;
        self.crowd = Crowd::Polling;
        self
    }

    /// Whether the seed has this fault.
    pub fn has(&self, fault: Fault) -> bool {
        self.faults & (1 << fault as u32) != 0
    }

    fn limit(&mut self, random: &mut Random) {
        let limits = &mut self.limits;
        limits.tail_messages_max = random.one_of(&[1, 2, 5, 20, 128]);
        limits.recovery_messages_max = random.one_of(&[1, 2, 5, 256]);
        limits.recovery_bytes_max = random.one_of(&[1, 200, 1_000, 128 * 1024]);
        limits.side_part_bytes_max = random.one_of(&[150, 1_000, 64 * 1024]);
        limits.deliveries_per_turn_max = random.one_of(&[1, 2, 3, 16_384]);
        if self.faults & (1 << Fault::SlowLanes as u32) != 0 {
            self.lane_max = random.one_of(&[1, 2, 8]);
        }
        if self.faults & (1 << Fault::SlowReaders as u32) != 0 {
            self.outbox_bytes_max = random.one_of(&[300, 1_000, 5_000]);
        }
        if self.faults & (1 << Fault::TinyLimits as u32) != 0 {
            limits.pipelined_requests_max = random.one_of(&[1, 2, 4]);
            limits.unread_bytes_max = random.one_of(&[600, 2_000]);
            limits.journal_queue_messages_max = random.one_of(&[1, 3, 10]);
            limits.journal_queue_bytes_max = random.one_of(&[200, 1_000]);
            limits.connections_max = random.one_of(&[1, 2, 5]);
            limits.polling_sessions_max = random.one_of(&[1, 3, 100]);
            limits.polling_outbox_bytes_max = random.one_of(&[400, 1_500, 1 << 20]);
            limits.presence_members_max = random.one_of(&[1, 2, 1_000]);
            limits.wire.message_bytes_max = random.one_of(&[200, 500]);
            limits.wire.body_bytes_max = 600;
            limits.control_frames_per_second_max = 2;
            let rate = Rate { per_second: 200, burst: 5 };
            limits.connection_rates.set(Paced::Publishes, rate);
        }
    }
}
