//! One file from a frame: what it shows put together, scaled, and encoded within its size.

use std::sync::Arc;

use pixels::{Bitmap, Channels, ClippingPath, EncodeOptions, Filter, Mask, Rights, TraceOptions, fit_inside};

use super::layered;
use super::settings::{Content, Depth, MetadataPolicy, Settings, TargetFormat, TargetMode};
use crate::frame::View;
use crate::render::render;
use crate::{Backdrop, Context, Encoded, Fault, Frame, Subject};

/// Lossy files are not made worse than this to become small.
const LEAST_QUALITY: u8 = 20;
/// A file this close below the largest size is good enough.
const CLOSE: f64 = 0.98;
/// By how much the logarithm of a file's size rises with each step of quality, as a first guess.
const SLOPE: f64 = 0.035;

/// A finished file, its size in pixels, and what somebody should know about it.
pub(super) struct Written {
    pub file: Encoded,
    pub width: u32,
    pub height: u32,
    pub notes: Vec<String>,
}

/// Writes one file, scaled down to lie within `fit`.
pub(super) fn write(
    frame: &Frame,
    content: Content,
    settings: &Settings,
    fit: Option<(u32, u32)>,
    context: &Context<'_>,
) -> Result<Written, Fault> {
    let target =
        fit.map_or((frame.width, frame.height), |fit| fit_inside((frame.width, frame.height), fit, false));
    let is_layered = settings.target_format == TargetFormat::Psd && content == Content::Result;
    if is_layered && target != (frame.width, frame.height) {
        // Layers are scaled one by one, so that they and the picture they make stay in step.
        let mut small = frame.clone();
        small.scale_from((0, 0), (frame.width, frame.height), target)?;
        small.set_view(View { x: 0, y: 0, width: target.0, height: target.1 })?;
        return write(&small, content, settings, None, context);
    }
    let mut notes = Vec::new();
    let options = options(frame, settings, target, &mut notes)?;
    let scaled = |bitmap: Arc<Bitmap>| -> Result<Arc<Bitmap>, Fault> {
        if (bitmap.width(), bitmap.height()) == target {
            return Ok(bitmap);
        }
        Ok(Arc::new(pixels::resize(&bitmap, target.0, target.1, Filter::Lanczos3)?))
    };
    let format = settings.format();
    let done = |bytes: Vec<u8>, notes: Vec<String>| Written {
        file: Encoded { bytes: Arc::new(bytes), format },
        width: target.0,
        height: target.1,
        notes,
    };
    if content == Content::Mask {
        let mut mask = mask_of(frame)?;
        if (mask.width(), mask.height()) != target {
            mask = pixels::resize_mask(&mask, target.0, target.1, Filter::Lanczos3)?;
        }
        let bytes = held(
            settings,
            &options,
            |options| Ok(pixels::encode_mask(&mask, options)?),
            context,
            &mut notes,
        )?;
        return Ok(done(bytes, notes));
    }
    let shown = shown(frame, content);
    let shown = shown.as_ref().unwrap_or(frame);
    let wants_alpha = settings.target_mode == TargetMode::Rgba && options.encoding.keeps_alpha();
    let white = Backdrop::Plain([255; 3]);
    let under = match &shown.background {
        Some(backdrop) => Some(backdrop),
        None if wants_alpha => None,
        None => Some(&white),
    };
    let bitmap = prepared(scaled(render(shown, under, context)?)?, frame, settings, wants_alpha);
    context.check_cancelled()?;
    if is_layered {
        let layers = layered::Layers::of(frame, under, context)?;
        let document = layers.document(&bitmap);
        return Ok(done(pixels::encode_layers(&document, &options)?, notes));
    }
    let bytes =
        held(settings, &options, |options| Ok(pixels::encode(&bitmap, options)?), context, &mut notes)?;
    Ok(done(bytes, notes))
}

/// The frame without what the content leaves out; `None` where it leaves out nothing.
fn shown(frame: &Frame, content: Content) -> Option<Frame> {
    let alone = |subject: Subject| Frame { shadows: Vec::new(), background: None, subject, ..frame.clone() };
    match content {
        Content::Result | Content::Mask => None,
        Content::Cutout => Some(alone(frame.subject.clone())),
        Content::Original => Some(alone(frame.photo.clone().unwrap_or_else(|| frame.subject.clone()))),
        Content::Shadow => {
            Some(Frame { background: None, subject: layered::nothing(frame), ..frame.clone() })
        }
    }
}

/// The bitmap at the depth and with the channels that the file asks for.
fn prepared(bitmap: Arc<Bitmap>, frame: &Frame, settings: &Settings, wants_alpha: bool) -> Arc<Bitmap> {
    let deep = match settings.depth {
        // A step may have widened the picture to be exact; that makes a file of 8 bit no better one of 16.
        Depth::Auto => {
            bitmap.depth() == 16 && frame.origin.depth == 16 && settings.encoding(90).keeps_16_bit()
        }
        Depth::Eight => false,
        Depth::Sixteen => true,
    };
    let mut bitmap = bitmap;
    // Where colours are still to be converted, the encoder rounds after that.
    if deep && bitmap.depth() == 8 {
        bitmap = Arc::new(Arc::unwrap_or_clone(bitmap).into_u16());
    } else if !deep && bitmap.depth() == 16 {
        bitmap = Arc::new(Arc::unwrap_or_clone(bitmap).into_u8());
    }
    if wants_alpha && bitmap.channels() == Channels::Rgb {
        bitmap = Arc::new(Arc::unwrap_or_clone(bitmap).into_rgba());
    }
    bitmap
}

/// How the product covers the canvas, at 8 bits.
pub(super) fn mask_of(frame: &Frame) -> Result<Mask, Fault> {
    let Subject { bitmap, x, y } = &frame.subject;
    Ok(pixels::place_mask(frame.width, frame.height, &bitmap.alpha(), *x, *y)?)
}

fn options(
    frame: &Frame,
    settings: &Settings,
    target: (u32, u32),
    notes: &mut Vec<String>,
) -> Result<EncodeOptions, Fault> {
    let mut options = settings.options(settings.quality.get() as u8);
    options.dpi = settings.dpi.map(|dpi| f64::from(dpi.get())).or(frame.origin.dpi.filter(|dpi| *dpi >= 1.0));
    if settings.metadata == MetadataPolicy::Copyright {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let Rights { copyright, artist } = frame.origin.rights.clone();
        options.copyright = given(&settings.copyright).or(copyright);
        options.artist = given(&settings.artist).or(artist);
    }
    if settings.clipping_path {
        if frame.subject.bitmap.has_transparency() {
            let mut mask = mask_of(frame)?;
            if (mask.width(), mask.height()) != target {
                mask = pixels::resize_mask(&mask, target.0, target.1, Filter::Bilinear)?;
            }
            let tolerance = settings.path_tolerance.get();
            let path = pixels::trace(&mask, &TraceOptions { tolerance, ..TraceOptions::default() })?;
            options.clipping_path = Some(ClippingPath { path, name: settings.path_name.trim().to_owned() });
        } else {
            notes
                .push("no clipping path was stored: the picture has no transparent parts to clip".to_owned());
        }
    }
    Ok(options)
}

/// The file at the quality asked for, or, where that is too large, at one that stays within the size and comes close.
fn held(
    settings: &Settings,
    options: &EncodeOptions,
    encode: impl Fn(&EncodeOptions) -> Result<Vec<u8>, Fault>,
    context: &Context<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<u8>, Fault> {
    let file = encode(options)?;
    let Some(most) = settings.max_file_size.map(|most| most.get() as usize).filter(|most| file.len() > *most)
    else {
        return Ok(file);
    };
    let size_at = |quality: u8| {
        context.check_cancelled()?;
        encode(&EncodeOptions { encoding: settings.encoding(quality), ..options.clone() })
    };
    let (file, quality) = squeeze(settings.quality.get() as u8, file.len(), most, size_at)?.ok_or_else(|| {
        Fault::input(
            "result_too_large",
            format!(
                "the result does not fit into {most} bytes (`maxFileSize`) at any quality from {LEAST_QUALITY} on; \
                 allow more, or make it smaller with `setOnCanvas`"
            ),
        )
    })?;
    notes.push(format!("written at quality {quality} to stay within {most} bytes"));
    Ok(file)
}

/// Looks for the best quality below `high` (at which a file has `too_large` bytes) that stays within `most` bytes: by
/// regula falsi on the logarithm of the size, which is nearly straight, so that three or four files are enough. `None`
/// where none fits.
fn squeeze(
    mut high: u8,
    too_large: usize,
    most: usize,
    file_at: impl Fn(u8) -> Result<Vec<u8>, Fault>,
) -> Result<Option<(Vec<u8>, u8)>, Fault> {
    let log = |bytes: usize| (bytes.max(1) as f64).ln();
    let (aim, mut over) = (log(most) + CLOSE.ln() / 2.0, log(too_large));
    let mut best: Option<(Vec<u8>, u8)> = None;
    let mut low = LEAST_QUALITY;
    // Qualities from `high` on are too large, those below `low` fit or are not wanted.
    while low < high {
        let slope = match &best {
            Some((file, quality)) => ((over - log(file.len())) / f64::from(high - quality)).max(1e-4),
            None => SLOPE,
        };
        let guess = f64::from(high) - (over - aim) / slope;
        let quality = (guess.round().max(0.0) as u8).clamp(low, high - 1);
        let file = file_at(quality)?;
        if file.len() > most {
            (high, over) = (quality, log(file.len()));
        } else {
            let close = file.len() as f64 >= most as f64 * CLOSE;
            low = quality + 1;
            best = Some((file, quality));
            if close {
                break;
            }
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn few_files_are_enough_to_find_the_quality() {
        for steep in [0.02, 0.035, 0.05] {
            for most in [40_000usize, 100_000, 300_000] {
                let size =
                    |quality: u8| (1_000_000.0 * f64::exp(steep * (f64::from(quality) - 100.0))) as usize;
                let files = Cell::new(0);
                let file_at = |quality: u8| {
                    files.set(files.get() + 1);
                    Ok(vec![0; size(quality)])
                };
                let found = squeeze(95, size(95), most, file_at).expect("no failure");
                let best = (LEAST_QUALITY..95).rev().find(|&quality| size(quality) <= most);
                match (&found, best) {
                    (Some((file, quality)), Some(best)) => {
                        assert!(file.len() <= most && file.len() == size(*quality));
                        assert!(
                            *quality == best || size(*quality) as f64 >= most as f64 * CLOSE,
                            "{quality} {best}"
                        );
                    }
                    (found, best) => assert!(found.is_none() && best.is_none()),
                }
                assert!(files.get() <= 6, "{} files", files.get());
            }
        }
    }
}
