//! The bytes of version 1 of the segment format, so that they never change by accident.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::{fmt::Write, sync::Arc};

use storage::{Disk, Journal, JournalOptions, Offset, Prepare, open_segments};
use support::{channel, publication, sim_disk::SimDisk};

const SEGMENT: &str = "segment-0000000001.log";
const GOLDEN: &str = include_str!("golden/segment-v1.hex");

fn open(disk: &SimDisk) -> Box<dyn Journal> {
    let options = JournalOptions { segment_bytes: 4096, prepare: Prepare::InPlace };
    open_segments(Arc::new(disk.clone()), &options).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        line.iter().for_each(|it| write!(text, "{it:02x}").unwrap());
        text.push('\n');
    }
    text
}

fn bytes(text: &str) -> Vec<u8> {
    let digits = text.split_ascii_whitespace().flat_map(str::as_bytes);
    let digits: Vec<_> = digits.copied().collect();
    let (pairs, _) = digits.as_chunks::<2>();
    pairs
        .iter()
        .map(|it| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn a_log_is_written_as_it_was_in_version_1() {
    let disk = SimDisk::new(1);
    {
        let mut journal = open(&disk);
        journal.append(&[publication(&channel(1), 1, 1), publication(&channel(2), 1, 1)]).unwrap();
        journal.append(&[publication(&channel(1), 1, 2), publication(&channel(1), 1, 3)]).unwrap();
        journal.drop_channel(&channel(2)).unwrap();
    }
    assert_eq!(hex(&disk.file(SEGMENT)), GOLDEN, "the format changed: it needs a new version");
}

#[test]
fn a_log_of_version_1_is_read() {
    let disk = SimDisk::new(9);
    disk.put(SEGMENT, bytes(GOLDEN));
    let mut journal = open(&disk);
    let expected: Vec<_> = (1..4).map(|it| publication(&channel(1), 1, it)).collect();
    assert_eq!(journal.read(&channel(1), Offset(0), 9).unwrap(), expected);
    assert_eq!(journal.read(&channel(2), Offset(0), 9).unwrap(), []);
    assert_eq!(journal.stats().quarantined, 0);
}

#[test]
fn another_version_is_refused_by_its_number() {
    let disk = SimDisk::new(9);
    let mut segment = bytes(GOLDEN);
    let (head, _) = segment.split_first_chunk_mut::<64>().unwrap();
    head[8] = 2;
    head[12..16].fill(0);
    let crc = crc32c::crc32c(head).to_le_bytes();
    head[12..16].copy_from_slice(&crc);
    disk.put(SEGMENT, segment);
    assert_eq!(disk.names().unwrap(), [SEGMENT]);
    let options = JournalOptions { segment_bytes: 4096, prepare: Prepare::InPlace };
    let refused = open_segments(Arc::new(disk), &options);
    assert!(matches!(refused, Err(storage::OpenError::Version { found: 2 })));
}
