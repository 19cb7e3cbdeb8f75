//! Puts several pictures side by side: front and back of a garment, the pieces of a set.

use std::sync::Arc;

use pixels::{Bitmap, Channels, Filter, Samples, resize};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::render::render;
use crate::{Context, Fault, Frame, Length, Subject};

/// Longest side of what comes out, in pixels.
const SIDE_MAX: u32 = 16_384;

/// Which way the pictures follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// From left to right.
    Row,
    /// From top to bottom.
    Column,
}

/// How large the further pictures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Scale {
    /// As high as the first in a row, as wide as the first in a column.
    Match,
    /// As they are.
    Keep,
}

/// Where a picture stands that is smaller than the row is high, or than the column is wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Align {
    /// At the top of a row, at the left of a column.
    Start,
    /// In the middle.
    Center,
    /// At the bottom of a row, at the right of a column.
    End,
}

/// Settings of `combine`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Which way the pictures follow one another.
    pub direction: Direction,
    /// Room between two pictures, in pixels or in per cent of the first picture's longer side.
    pub gap: Length<4096, 100>,
    /// How large the further pictures are.
    pub scale: Scale,
    /// Where a smaller picture stands.
    pub align: Align,
}

impl Default for Settings {
    fn default() -> Self {
        Self { direction: Direction::Row, gap: Length::Percent(4.0), scale: Scale::Match, align: Align::End }
    }
}

/// Puts several pictures side by side.
pub struct Combine;

/// Along the row or column, and across it.
fn turned(direction: Direction, size: (u32, u32)) -> (u32, u32) {
    match direction {
        Direction::Row => size,
        Direction::Column => (size.1, size.0),
    }
}

impl Component for Combine {
    const KIND: &'static str = "combine";
    const TITLE: &'static str = "Combine";
    const SUMMARY: &'static str = "Puts the pictures of a run side by side; what stands before it is done to each of them. One picture stays as it is.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 0;
    const JOINS: bool = true;

    type Settings = Settings;

    fn run(_: &mut Frame, _: &Settings, _: &Context<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn join(
        frame: &mut Frame,
        others: Vec<Frame>,
        settings: &Settings,
        context: &Context<'_>,
    ) -> Result<(), Fault> {
        let direction = settings.direction;
        let (_, across) = turned(direction, (frame.width, frame.height));
        let gap = settings.gap.px(frame.width.max(frame.height));
        let mut tiles = vec![render(frame, frame.background, context)?];
        for other in others {
            context.check_cancelled()?;
            let tile = render(&other, other.background, context)?;
            let size = turned(direction, (tile.width(), tile.height()));
            tiles.push(match settings.scale {
                Scale::Match if size.1 != across => {
                    let along =
                        (f64::from(size.0) * f64::from(across) / f64::from(size.1)).round().max(1.0) as u32;
                    let (width, height) = turned(direction, (along.min(SIDE_MAX), across));
                    Arc::new(resize(&tile, width, height, Filter::Lanczos3)?)
                }
                _ => tile,
            });
        }
        let sizes: Vec<_> =
            tiles.iter().map(|tile| turned(direction, (tile.width(), tile.height()))).collect();
        let along = sizes.iter().map(|size| u64::from(size.0)).sum::<u64>()
            + u64::from(gap) * (tiles.len() as u64 - 1);
        let across = sizes.iter().map(|size| size.1).max().unwrap_or(1);
        if along > u64::from(SIDE_MAX) {
            return Err(Fault::input(
                "picture_too_large",
                format!(
                    "{} pictures together are {along} pixels long; at most {SIDE_MAX} are allowed: give fewer or smaller ones",
                    tiles.len()
                ),
            ));
        }
        let (width, height) = turned(direction, (along as u32, across));
        let mut places = Vec::with_capacity(tiles.len());
        let mut at = 0;
        for size in &sizes {
            let free = across - size.1;
            let down = match settings.align {
                Align::Start => 0,
                Align::Center => free / 2,
                Align::End => free,
            };
            places.push(turned(direction, (at, down)));
            at += size.0 + gap;
        }
        let joined = pasted((width, height), tiles, &places)?;
        frame.width = width;
        frame.height = height;
        frame.fixed_size = false;
        frame.subject = Subject { bitmap: Arc::new(joined), x: 0, y: 0 };
        frame.shadows.clear();
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        bytes(megapixels, 24)
    }
}

/// The tiles at their places on a transparent picture; 16 bit if any of them is.
fn pasted(size: (u32, u32), tiles: Vec<Arc<Bitmap>>, places: &[(u32, u32)]) -> Result<Bitmap, Fault> {
    let samples = size.0 as usize * size.1 as usize * 4;
    let deep = tiles.iter().any(|tile| tile.depth() == 16);
    let mut to = if deep { Samples::U16(vec![0; samples]) } else { Samples::U8(vec![0; samples]) };
    for (tile, place) in tiles.into_iter().zip(places) {
        let tile = Arc::unwrap_or_clone(tile).into_rgba();
        let tile = if deep { tile.into_u16() } else { tile };
        let width = tile.width() as usize;
        match (&mut to, tile.samples()) {
            (Samples::U8(to), Samples::U8(from)) => paste(to, size.0 as usize, from, width, *place),
            (Samples::U16(to), Samples::U16(from)) => paste(to, size.0 as usize, from, width, *place),
            _ => unreachable!("every tile was brought to one depth"),
        }
    }
    Ok(Bitmap::new(size.0, size.1, Channels::Rgba, to)?)
}

fn paste<S: Copy>(to: &mut [S], to_width: usize, from: &[S], width: usize, (x, y): (u32, u32)) {
    for (row, line) in from.chunks_exact(width * 4).enumerate() {
        let start = ((y as usize + row) * to_width + x as usize) * 4;
        to[start..start + width * 4].copy_from_slice(line);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::StepCache;

    fn plain(width: u32, height: u32, level: u8) -> Frame {
        let samples = vec![level; (width * height * 3) as usize];
        let bitmap = Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("a picture");
        Frame::new(bitmap, Frame::unread().origin)
    }

    fn joined(settings: &Settings, frames: Vec<Frame>) -> Result<Frame, Fault> {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let mut frames = frames.into_iter();
        let mut first = frames.next().expect("one at least");
        Combine::join(&mut first, frames.collect(), settings, &Context::new(&cache, &cancel))?;
        Ok(first)
    }

    fn pixel(frame: &Frame, x: u32, y: u32) -> [u8; 4] {
        let Samples::U8(samples) = frame.subject.bitmap.samples() else { panic!("8 bit") };
        let at = (y * frame.width + x) as usize * 4;
        [samples[at], samples[at + 1], samples[at + 2], samples[at + 3]]
    }

    #[test]
    fn pictures_stand_in_a_row_on_one_line() {
        let settings = Settings { gap: Length::Px(2), scale: Scale::Keep, ..Settings::default() };
        let frame =
            joined(&settings, vec![plain(4, 6, 10), plain(3, 2, 20), plain(1, 8, 30)]).expect("joined");
        assert_eq!((frame.width, frame.height), (4 + 2 + 3 + 2 + 1, 8));
        assert_eq!(pixel(&frame, 0, 1), [0; 4]);
        assert_eq!(pixel(&frame, 0, 2), [10, 10, 10, 255]);
        assert_eq!(pixel(&frame, 4, 7), [0; 4], "the gap is clear");
        assert_eq!(pixel(&frame, 6, 5), [0; 4]);
        assert_eq!(pixel(&frame, 6, 6), [20, 20, 20, 255]);
        assert_eq!(pixel(&frame, 11, 0), [30, 30, 30, 255]);
    }

    #[test]
    fn further_pictures_are_brought_to_the_first_ones_height_or_width() {
        let settings = Settings { gap: Length::Px(0), ..Settings::default() };
        let frame = joined(&settings, vec![plain(4, 8, 10), plain(6, 4, 20)]).expect("joined");
        assert_eq!((frame.width, frame.height), (4 + 12, 8));
        let settings = Settings { direction: Direction::Column, ..settings };
        let frame = joined(&settings, vec![plain(4, 8, 10), plain(8, 4, 20)]).expect("joined");
        assert_eq!((frame.width, frame.height), (4, 8 + 2));
        assert_eq!(pixel(&frame, 3, 9), [20, 20, 20, 255]);
    }

    #[test]
    fn a_column_can_stand_left_and_deep_pictures_stay_deep() {
        let settings = Settings {
            direction: Direction::Column,
            gap: Length::Px(1),
            scale: Scale::Keep,
            align: Align::Start,
        };
        let deep = Bitmap::from_u16(2, 1, Channels::Rgb, vec![300; 6]).expect("a picture");
        let deep = Frame::new(deep, Frame::unread().origin);
        let frame = joined(&settings, vec![plain(4, 1, 10), deep]).expect("joined");
        let Samples::U16(samples) = frame.subject.bitmap.samples() else { panic!("16 bit") };
        assert_eq!(samples[..4], [2570, 2570, 2570, 65535]);
        assert_eq!(samples[2 * 16..2 * 16 + 4], [300, 300, 300, 65535]);
        assert_eq!(samples[2 * 16 + 8..2 * 16 + 12], [0; 4]);
    }

    #[test]
    fn too_long_a_row_is_refused() {
        let settings = Settings { scale: Scale::Keep, ..Settings::default() };
        let fault = joined(&settings, vec![plain(9000, 1, 1), plain(9000, 1, 1)]).expect_err("too long");
        assert_eq!(fault.code, "picture_too_large");
    }
}
