//! Masking (RFC 6455 §5.3): the same operation both ways.

/// Applies a mask in place. `offset` is how far into the payload the bytes begin.
pub(super) fn apply(bytes: &mut [u8], mask: [u8; 4], offset: usize) {
    let [a, b, c, d] = mask;
    let turned = match offset % 4 {
        0 => [a, b, c, d],
        1 => [b, c, d, a],
        2 => [c, d, a, b],
        _ => [d, a, b, c],
    };
    let [a, b, c, d] = turned;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(turned.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_from_any_offset_is_masked_byte_by_byte() {
        let mask = [1, 2, 4, 8];
        for offset in 0..9 {
            for length in 0..40_u8 {
                let mut bytes: Vec<u8> = (0..length).collect();
                let expected: Vec<u8> = bytes
                    .iter()
                    .enumerate()
                    .map(|(index, byte)| byte ^ mask[(offset + index) % 4])
                    .collect();
                apply(&mut bytes, mask, offset);
                assert_eq!(bytes, expected, "{length} bytes from {offset}");
            }
        }
    }
}
