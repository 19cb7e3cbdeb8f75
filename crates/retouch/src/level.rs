//! A sample of 8 or 16 bits as a level from 0 to 255, and back.

/// A sample that computes in levels: 255 is full, whatever the depth.
pub(crate) trait Level: Copy + Default + PartialEq {
    /// The largest sample.
    const FULL: Self;
    /// The sample in levels of 255.
    fn level(self) -> f32;
    /// The nearest sample; levels outside 0 to 255 are clamped.
    fn from_level(level: f32) -> Self;
}

impl Level for u8 {
    const FULL: Self = Self::MAX;

    #[inline]
    fn level(self) -> f32 {
        f32::from(self)
    }

    #[inline]
    fn from_level(level: f32) -> Self {
        (level + 0.5) as Self
    }
}

impl Level for u16 {
    const FULL: Self = Self::MAX;

    #[inline]
    fn level(self) -> f32 {
        f32::from(self) * (1.0 / 257.0)
    }

    #[inline]
    fn from_level(level: f32) -> Self {
        (level * 257.0 + 0.5) as Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_comes_back_from_its_level() {
        assert!((0..=u8::MAX).all(|v| u8::from_level(v.level()) == v));
        assert!((0..=u16::MAX).all(|v| u16::from_level(v.level()) == v));
        assert_eq!((u8::from_level(-3.0), u8::from_level(300.0)), (0, 255));
    }
}
