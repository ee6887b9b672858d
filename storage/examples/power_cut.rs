//! Cuts the power of a real file system under load: ext4 on a loop device, shut down by `FS_IOC_SHUTDOWN`. Needs root.
//!
//! `cargo run -p storage --example power_cut -- WORK_DIR segment|sled ROUNDS`
//!
//! A child appends and prints what was acknowledged; at a random moment the file system is stopped without
//! flushing its log; then it is mounted again, opened, and every acknowledged message is looked for.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test run by hand: it prints, waits, and stops at the first surprise"
)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use storage::{
    ChannelKey, Draft, Epoch, Journal, JournalKind, JournalOptions, MessageId, Offset, Prepare,
    Publication, SenderKind, TenantId, open,
};

const CHANNELS: u64 = 50;

fn next(random: &mut u64) -> u64 {
    *random =
        random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random >> 33
}

fn publication(number: u64, offset: u64) -> Arc<Publication> {
    let channel = Arc::new(ChannelKey::new(TenantId(1), &format!("room:{number}")));
    let payload = format!("{number}/{offset}/").repeat(1 + usize::try_from(offset % 40).unwrap());
    Arc::new(Publication::new(&Draft {
        channel: &channel,
        epoch: Epoch(1),
        offset: Some(Offset(offset)),
        id: MessageId(offset.into()),
        at_ms: offset,
        sender: "",
        sender_kind: SenderKind::System,
        event: "said",
        payload: payload.as_bytes(),
        idempotency: None,
    }))
}

fn journal(kind: &str, dir: &Path) -> Box<dyn Journal> {
    let kind = if kind == "sled" { JournalKind::Sled } else { JournalKind::Segment };
    let options = JournalOptions { segment_bytes: 2 * 1024 * 1024, prepare: Prepare::Ahead };
    open(kind, dir, &options).unwrap()
}

fn lasts(journal: &dyn Journal) -> BTreeMap<u64, u64> {
    let number = |name: &str| name.trim_start_matches("room:").parse().unwrap();
    let states = journal.channels().into_iter();
    states.map(|(key, state)| (number(key.name()), state.position.offset.0)).collect()
}

/// The child: appends until the disk is gone.
fn work(kind: &str, dir: &Path) {
    let mut journal = journal(kind, dir);
    let mut lasts = lasts(&*journal);
    let mut random = u64::from(std::process::id());
    loop {
        let batch: Vec<_> = (0..1 + next(&mut random) % 300)
            .map(|_| {
                let number = next(&mut random) % CHANNELS;
                let last = lasts.entry(number).or_default();
                *last += 1;
                publication(number, *last)
            })
            .collect();
        if journal.append(&batch).is_err() {
            std::process::exit(0); // Without closing anything: the power is off.
        }
        let text: Vec<_> = lasts.iter().map(|(number, last)| format!("{number}:{last}")).collect();
        println!("acked {}", text.join(" "));
        std::io::stdout().flush().unwrap();
    }
}

fn sh(command: &str) {
    let status = Command::new("sh").args(["-ec", command]).status().unwrap();
    assert!(status.success(), "{command}");
}

/// Stops the file system at once; nothing that is not on the disk gets there.
fn shut_down(mount: &Path) {
    // FS_IOC_SHUTDOWN with FSOP_GOING_FLAGS_NOLOGFLUSH.
    let script = "import fcntl,os,struct,sys;\
                  fcntl.ioctl(os.open(sys.argv[1],os.O_RDONLY),0x8004587D,struct.pack('I',2))";
    let status = Command::new("python3").args(["-c", script]).arg(mount).status().unwrap();
    assert!(status.success());
}

/// One cut. Returns what the child said last.
fn cut(kind: &str, mount: &Path, wait: Duration) -> BTreeMap<u64, u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("--child")
        .args([kind.as_ref(), mount.join("journal").as_os_str()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let acks = out.lines().map_while(Result::ok).filter(|it| it.starts_with("acked "));
        acks.last().unwrap_or_default()
    });
    std::thread::sleep(wait);
    shut_down(mount);
    let _ = child.kill(); // It may have ended by itself.
    child.wait().unwrap();
    let line = reader.join().unwrap();
    let pairs = line.split(' ').filter_map(|it| it.split_once(':'));
    pairs.map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())).collect()
}

/// Looks for every acknowledged message. Returns how many there are.
fn check(kind: &str, dir: &Path, acked: &BTreeMap<u64, u64>) -> u64 {
    let mut journal = journal(kind, dir);
    assert_eq!(journal.stats().quarantined, 0, "a power cut is no damage");
    let found = lasts(&*journal);
    let mut count = 0;
    for (number, last) in acked {
        assert!(found.get(number) >= Some(last), "room:{number} has {last}, found {found:?}");
        let key = ChannelKey::new(TenantId(1), &format!("room:{number}"));
        let mut after = 0;
        loop {
            let read = journal.read(&key, Offset(after), 1_000).unwrap();
            for (it, at) in read.iter().zip(after + 1..) {
                assert_eq!(**it, *publication(*number, at));
            }
            if read.is_empty() {
                break;
            }
            after += read.len() as u64;
        }
        assert!(after >= *last, "room:{number} reads up to {after} of {last}");
        count += after;
    }
    count
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [first, second, third] = arguments.as_slice() else {
        println!("power_cut WORK_DIR segment|sled ROUNDS");
        return;
    };
    if first == "--child" {
        return work(second, Path::new(third));
    }
    let (dir, kind) = (PathBuf::from(first), second.as_str());
    let (image, mount) = (dir.join("disk.img"), dir.join("mount"));
    std::fs::create_dir_all(&mount).unwrap();
    let (image, at) = (image.display(), mount.display());
    let (mut random, mut messages) = (42, 0);
    for round in 0..third.parse().unwrap() {
        if round % 5 == 0 {
            sh(&format!(
                "truncate -s 0 {image}; truncate -s 512M {image}; mkfs.ext4 -q -F {image}"
            ));
        }
        sh(&format!("mount -o loop {image} {at}"));
        let wait = Duration::from_millis(300 + next(&mut random) % 700);
        let acked = cut(kind, &mount, wait);
        sh(&format!("umount {at}; mount -o loop {image} {at}"));
        let count = check(kind, &mount.join("journal"), &acked);
        messages += count;
        println!("round {round}: cut after {wait:?}, {count} messages are there");
        sh(&format!("umount {at}"));
    }
    println!("{kind}: every acknowledged message survived; {messages} looked at");
    std::fs::remove_dir_all(&dir).unwrap();
}
