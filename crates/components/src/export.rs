//! Writes the files: always the last step, and the only one that puts the layers together.

mod layered;
mod settings;
mod write;

use std::collections::BTreeSet;

use domain::component::{Changes, Place};

use crate::component::{Component, bytes};
use crate::edit_filename::check_pattern;
use crate::frame::NamedFile;
use crate::{Context, Fault, Frame};
pub use settings::Settings;
use settings::{Content, Output, TargetFormat};
use write::write;

/// Writes the files.
pub struct Export;

/// Most further files of one execution.
const MOST_OUTPUTS: usize = 8;
/// The label of the mask that `removeBackground` asks for.
const MASK: &str = "mask";
/// The label of the result itself.
const RESULT: &str = "default";

impl Component for Export {
    const KIND: &'static str = "export";
    const TITLE: &'static str = "Export";
    const SUMMARY: &'static str =
        "Writes the result as PNG, JPEG, WebP, AVIF, TIFF or layered PSD, and further files beside it.";
    const VERSION: u32 = 2;
    const CREDITS: u32 = 10;
    const CHANGES: Changes = Changes::NONE;
    const PLACE: Place = Place::Last;

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        settings.check()?;
        if settings.outputs.len() > MOST_OUTPUTS {
            return Err(format!(
                "`outputs` has {} entries, at most {MOST_OUTPUTS} are allowed",
                settings.outputs.len()
            ));
        }
        let mut labels = BTreeSet::new();
        for (index, output) in settings.outputs.iter().enumerate() {
            let which = format!("`outputs` {} (`{}`)", index + 1, output.name);
            let is_label = (1..=40).contains(&output.name.len())
                && output.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if !is_label || output.name == RESULT {
                return Err(format!(
                    "{which}: `name` must be 1 to 40 letters, digits, `-` or `_`, and not `{RESULT}`"
                ));
            }
            if !labels.insert(output.name.to_ascii_lowercase()) {
                return Err(format!("{which}: another output has this `name`; choose a different one"));
            }
            if !output.file_name.is_empty() {
                check_pattern("fileName", &output.file_name, &["output"], &[])
                    .map_err(|reason| format!("{which}: {reason}"))?;
            }
            output.over(settings).check().map_err(|reason| format!("{which}: {reason}"))?;
        }
        Ok(())
    }

    fn needs_photo(settings: &Settings) -> bool {
        let shows = |format: TargetFormat, content: Content| {
            content == Content::Original || format == TargetFormat::Psd && content == Content::Result
        };
        shows(settings.target_format, Content::Result)
            || settings
                .outputs
                .iter()
                .any(|output| shows(output.target_format.unwrap_or(settings.target_format), output.content))
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let result = write(frame, Content::Result, settings, None, context)?;
        for note in result.notes {
            frame.note(note);
        }
        let mut more = Vec::with_capacity(settings.outputs.len());
        for output in &settings.outputs {
            context.check_cancelled()?;
            let side = |most: Option<crate::Whole<1, 16_384>>| most.map_or(u32::MAX, crate::Whole::get);
            let fit = Some((side(output.max_width), side(output.max_height)))
                .filter(|fit| *fit != (u32::MAX, u32::MAX));
            let written = write(frame, output.content, &output.over(settings), fit, context)?;
            for note in written.notes {
                frame.note(format!("`{}`: {note}", output.name));
            }
            more.push(NamedFile {
                label: output.name.clone(),
                pattern: output.file_name.clone(),
                file: written.file,
                width: written.width,
                height: written.height,
            });
        }
        let is_there = |named: &NamedFile| named.label.eq_ignore_ascii_case(MASK);
        if frame.with_mask && !more.iter().any(is_there) {
            let output = Output {
                content: Content::Mask,
                target_format: Some(TargetFormat::Png),
                ..Output::default()
            };
            let written = write(frame, Content::Mask, &output.over(settings), None, context)?;
            let (width, height) = (written.width, written.height);
            more.push(NamedFile {
                label: MASK.to_owned(),
                pattern: String::new(),
                file: written.file,
                width,
                height,
            });
        }
        frame.encoded = Some(result.file);
        frame.more = more;
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // The layers, the canvas they are put on, the planes or the encoder's copy of it, and the file.
        bytes(megapixels, 24)
    }
}
