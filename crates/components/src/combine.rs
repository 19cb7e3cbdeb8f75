//! Puts several pictures side by side: front and back of a garment, the pieces of a set.

use std::sync::Arc;

use domain::component::Changes;
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
    /// As high as the first in a row, as wide as the first in a column; all of them smaller if they would be too large
    /// together.
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

/// Pixels that pictures may have together once they are joined, given what they have apart. What is admitted to memory
/// rests on the latter.
pub(crate) fn area_max(own: u64) -> u64 {
    2 * own + 4_000_000
}

/// The length of a row or column.
fn length(sizes: &[(u32, u32)], gap: u32) -> u64 {
    let gaps = u64::from(gap) * sizes.len().saturating_sub(1) as u64;
    sizes.iter().map(|size| u64::from(size.0)).sum::<u64>() + gaps
}

fn too_large(what: &str, pictures: usize) -> Fault {
    let message = format!(
        "{pictures} pictures together would be {what} pixels; give fewer or smaller ones, or a smaller `gap`"
    );
    Fault::input("picture_too_large", message)
}

/// Brings every size to the first one's height (in a row; its width in a column), or as near to it as all of them
/// together may be. Answers whether it had to be less.
fn matched(sizes: &mut [(u32, u32)], gap: u32) -> Result<bool, Fault> {
    let Some(&(_, first)) = sizes.first() else { return Ok(false) };
    let gaps = f64::from(gap) * (sizes.len() - 1) as f64;
    let own: u64 = sizes.iter().map(|size| u64::from(size.0) * u64::from(size.1)).sum();
    // Length per pixel of height, of all of them.
    let ratios: f64 = sizes.iter().map(|size| f64::from(size.0) / f64::from(size.1)).sum();
    let room = f64::from(SIDE_MAX) - gaps - sizes.len() as f64;
    if room < 1.0 {
        return Err(too_large("mostly gaps and too many", sizes.len()));
    }
    // across * (across * ratios + gaps) is the area: the largest root that fits.
    let area = area_max(own) as f64 * 0.99;
    let by_area = (-gaps + (gaps * gaps + 4.0 * ratios * area).sqrt()) / (2.0 * ratios);
    let across = f64::from(first).min(by_area).min(room / ratios).floor().max(1.0);
    for size in sizes.iter_mut() {
        let along = (f64::from(size.0) * across / f64::from(size.1)).round().max(1.0);
        *size = (along as u32, across as u32);
    }
    Ok((across as u32) < first)
}

impl Component for Combine {
    const KIND: &'static str = "combine";
    const TITLE: &'static str = "Combine";
    const SUMMARY: &'static str = "Puts the pictures of a run side by side; what stands before it is done to each of them. One picture stays as it is.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 0;
    const CHANGES: Changes = Changes { geometry: true, background: true, ..Changes::NONE };
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
        let gap = settings.gap.px(frame.width.max(frame.height));
        let mut tiles = vec![render(frame, frame.background.as_ref(), context)?];
        for other in others {
            context.check_cancelled()?;
            frame.origin.depth = frame.origin.depth.max(other.origin.depth);
            tiles.push(render(&other, other.background.as_ref(), context)?);
        }
        let mut sizes: Vec<_> =
            tiles.iter().map(|tile| turned(direction, (tile.width(), tile.height()))).collect();
        let own: u64 = sizes.iter().map(|size| u64::from(size.0) * u64::from(size.1)).sum();
        // Sizes first, pixels later: a small picture may be asked to grow without measure.
        if settings.scale == Scale::Match && matched(&mut sizes, gap)? {
            frame.note("all pictures were made smaller, so that together they are not too large");
        }
        let along = length(&sizes, gap);
        let across = sizes.iter().map(|size| size.1).max().unwrap_or(1);
        if along > u64::from(SIDE_MAX) || along * u64::from(across) > area_max(own) {
            return Err(too_large(&format!("{along} by {across}"), tiles.len()));
        }
        for (tile, size) in tiles.iter_mut().zip(&sizes) {
            let (width, height) = turned(direction, *size);
            if (tile.width(), tile.height()) != (width, height) {
                context.check_cancelled()?;
                *tile = Arc::new(resize(tile, width, height, Filter::Lanczos3)?);
            }
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
        frame.marks.clear();
        frame.photo = None;
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
    fn what_would_grow_without_measure_is_kept_within_bounds() {
        let settings = Settings { gap: Length::Px(0), ..Settings::default() };
        let mut frames = vec![plain(64, 4096, 1)];
        frames.extend((0..6).map(|_| plain(4096, 100, 2)));
        let own = 64 * 4096 + 6 * 4096 * 100;
        let frame = joined(&settings, frames).expect("joined");
        let area = u64::from(frame.width) * u64::from(frame.height);
        assert!(area <= area_max(own) && frame.width <= SIDE_MAX, "{} by {}", frame.width, frame.height);
        assert!(frame.height > 50 && frame.remarks.last().is_some_and(|remarks| !remarks.notes.is_empty()));
        let settings = Settings { scale: Scale::Keep, ..settings };
        let fault = joined(&settings, vec![plain(1, 8000, 1), plain(8000, 1, 1)]).expect_err("mostly empty");
        assert_eq!(fault.code, "picture_too_large");
    }

    #[test]
    fn too_long_a_row_is_refused() {
        let settings = Settings { scale: Scale::Keep, ..Settings::default() };
        let fault = joined(&settings, vec![plain(9000, 1, 1), plain(9000, 1, 1)]).expect_err("too long");
        assert_eq!(fault.code, "picture_too_large");
    }
}
