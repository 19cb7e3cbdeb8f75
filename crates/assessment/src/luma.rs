//! Luma of sRGB samples.

/// Luma 0.2126 R + 0.7152 G + 0.0722 B (ITU-R BT.709) of encoded 8-bit samples, rounded to a level.
pub(crate) fn luma(samples: &[u8], channels: usize) -> Vec<u8> {
    samples.chunks_exact(channels).map(of).collect()
}

/// The same of one pixel.
#[inline]
pub(crate) fn of(pixel: &[u8]) -> u8 {
    // 65,536ths that add up to one, so that white stays white.
    ((13_933 * u32::from(pixel[0]) + 46_871 * u32::from(pixel[1]) + 4_732 * u32::from(pixel[2]) + 32_768)
        >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::luma;

    #[test]
    fn greys_keep_their_level() {
        for level in [0, 1, 77, 128, 254, 255] {
            assert_eq!(luma(&[level; 3], 3), [level]);
            assert_eq!(luma(&[level, level, level, 9], 4), [level]);
        }
        assert_eq!(luma(&[255, 0, 0], 3), [54]);
    }
}
