//! How much of a text needs no look: up to the next byte that JSON escapes.

/// Bytes that are looked at word by word before a text counts as long, a multiple of eight: names end within them.
const NAME_BYTES: usize = 16;

/// The number of bytes in front of the first quote, backslash or control character; all of them where there is none.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        if let Some(place) = first_special(*word) {
            return at + place;
        }
        at += 8;
        if at == NAME_BYTES {
            at += plain_chunks(bytes.get(at..).unwrap_or_default());
        }
    }
    match bytes.last_chunk() {
        // What the last word has of the one before is plain.
        Some(word) => first_special(*word).map_or(bytes.len(), |place| bytes.len() - 8 + place),
        None => bytes.iter().position(|byte| is_special(*byte)).unwrap_or(bytes.len()),
    }
}

/// The bytes of the chunks in front of the first that has a special byte.
fn plain_chunks(bytes: &[u8]) -> usize {
    let (chunks, _) = bytes.as_chunks::<32>();
    let is_plain = |chunk: &[u8; 32]| !chunk.iter().fold(false, |it, byte| it | is_special(*byte));
    32 * chunks.iter().take_while(|it| is_plain(it)).count()
}

/// Without a branch, so that a compiler tests many at once.
fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// The place of the first quote, backslash or control character.
fn first_special(word: [u8; 8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(word);
    let zero_in = |it: u64| it.wrapping_sub(ONES) & !it;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = zero_in(word ^ (ONES * 0x22));
    let backslash = zero_in(word ^ (ONES * 0x5c));
    // The high bits of those bytes. Bits above the first may be wrong.
    let special = (control | quote | backslash) & HIGHS;
    (special != 0).then(|| (special.trailing_zeros() / 8) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever stands behind the first special byte changes nothing.
    fn check(plain: &[u8], at: usize, special: u8) {
        let mut bytes = plain.to_vec();
        bytes[at] = special;
        assert_eq!(plain_len(&bytes), at, "{special} in {} bytes", plain.len());
        if let Some(last) = bytes.get_mut(at + 1..).and_then(<[u8]>::last_mut) {
            *last = b'"';
        }
        assert_eq!(plain_len(&bytes), at, "{special} in {} bytes, and a quote", plain.len());
    }

    #[test]
    fn a_text_is_plain_up_to_its_first_special_byte_wherever_that_stands() {
        let plain: Vec<u8> = (0..=u8::MAX).filter(|it| !is_special(*it)).collect();
        for len in 0..100 {
            let plain: Vec<u8> = plain.iter().cycle().skip(7 * len).take(len).copied().collect();
            assert_eq!(plain_len(&plain), len);
            for at in 0..len {
                b"\"\\\0\x1f".iter().for_each(|special| check(&plain, at, *special));
            }
        }
    }

    #[test]
    fn every_byte_that_json_escapes_is_special_and_no_other() {
        for byte in 0..=u8::MAX {
            let is_escaped = byte < b' ' || byte == b'"' || byte == b'\\';
            for len in [1, 8, 9, 48] {
                let plain = len * usize::from(!is_escaped);
                assert_eq!(plain_len(&vec![byte; len]), plain, "{byte}");
            }
        }
    }
}
