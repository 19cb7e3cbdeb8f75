//! Changes the name of the result's file.

use domain::component::Changes;
use domain::image::FileName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::{Context, Fault, Frame};

/// Settings of `editFilename`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Text to look for in the name without its extension; every place where it stands is replaced.
    #[schemars(length(max = 100))]
    pub search: String,
    /// Text that takes its place.
    #[schemars(length(max = 100))]
    pub replace: String,
    /// The new name, made of text and `{name}` (the name so far), `{original}` (the input's name), `{width}`, `{height}`
    /// (of the result, in pixels) and `{format}` (`jpg`). The extension follows by itself.
    #[schemars(length(max = 200))]
    pub pattern: String,
    /// Text in front of the name.
    #[schemars(length(max = 100))]
    pub prefix: String,
    /// Text after the name, before the extension.
    #[schemars(length(max = 100))]
    pub suffix: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            search: String::new(),
            replace: String::new(),
            pattern: "{name}".to_owned(),
            prefix: String::new(),
            suffix: String::new(),
        }
    }
}

/// One change of a name, kept until the result's size and format are known.
pub(crate) type Edit = Settings;

const VARIABLES: [&str; 5] = ["name", "original", "width", "height", "format"];

/// Changes the name of the result's file.
pub struct EditFilename;

impl Component for EditFilename {
    const KIND: &'static str = "editFilename";
    const TITLE: &'static str = "Edit filename";
    const SUMMARY: &'static str =
        "Changes the name of the result: search and replace, pattern, prefix, suffix.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 0;
    const CHANGES: Changes = Changes::NONE;

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        let texts = [
            ("search", &settings.search, 100),
            ("replace", &settings.replace, 100),
            ("pattern", &settings.pattern, 200),
            ("prefix", &settings.prefix, 100),
            ("suffix", &settings.suffix, 100),
        ];
        for (name, text, most) in texts {
            let length = text.chars().count();
            if length > most {
                return Err(format!("`{name}` has {length} characters, at most {most} are allowed"));
            }
            if name != "search" && text.contains(['/', '\\']) {
                return Err(format!("`{name}` is `{text}`; a name cannot hold `/` or `\\`"));
            }
        }
        for part in settings.pattern.split('{').skip(1) {
            let variable = part.split_once('}').map(|(name, _)| name);
            if !variable.is_some_and(|name| VARIABLES.contains(&name)) {
                let known: Vec<String> = VARIABLES.iter().map(|name| format!("`{{{name}}}`")).collect();
                return Err(format!(
                    "`pattern` holds `{{{}`; there are {}",
                    part.split_inclusive('}').next().unwrap_or_default(),
                    known.join(", ")
                ));
            }
        }
        if settings.pattern.trim().is_empty() {
            return Err("`pattern` is empty; write at least `{name}`".to_owned());
        }
        Ok(())
    }

    fn run(frame: &mut Frame, settings: &Settings, _: &Context<'_>) -> Result<(), Fault> {
        frame.name_edits.push(settings.clone());
        Ok(())
    }

    fn memory_bytes(_: f64) -> u64 {
        0
    }
}

/// The result's name: the input's without its extension, through every edit, with the extension of its format.
pub(crate) fn result_name(input: &FileName, edits: &[Edit], size: (u32, u32), extension: &str) -> FileName {
    let mut stem = input.stem().to_owned();
    for edit in edits {
        if !edit.search.is_empty() {
            stem = stem.replace(&edit.search, &edit.replace);
        }
        stem = fill_in(&edit.pattern, &stem, input.stem(), size, extension);
        stem = format!("{}{stem}{}", edit.prefix, edit.suffix);
    }
    // Dots and blanks at the end would change what the extension is, or vanish on some systems.
    let stem = stem.trim().trim_end_matches(['.', ' ']);
    let stem = if stem.is_empty() { "image" } else { stem };
    FileName::clean(&format!("{stem}.{extension}"))
}

/// One pass from left to right, so that a name with braces in it is never taken for a variable.
fn fill_in(pattern: &str, name: &str, original: &str, size: (u32, u32), extension: &str) -> String {
    let mut filled = String::with_capacity(pattern.len() + name.len());
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((variable, after)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        match variable {
            "name" => filled.push_str(name),
            "original" => filled.push_str(original),
            "width" => filled.push_str(&size.0.to_string()),
            "height" => filled.push_str(&size.1.to_string()),
            "format" => filled.push_str(extension),
            other => filled.extend(["{", other, "}"]),
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(input: &str, edits: &[Edit]) -> String {
        result_name(&FileName::clean(input), edits, (800, 600), "jpg").as_str().to_owned()
    }

    #[test]
    fn without_edits_the_stem_stays_and_the_extension_follows_the_format() {
        assert_eq!(name("shirt 01.PNG", &[]), "shirt 01.jpg");
        assert_eq!(name("a.b.c", &[]), "a.b.jpg");
        assert_eq!(name("noextension", &[]), "noextension.jpg");
    }

    #[test]
    fn edits_apply_one_after_the_other() {
        let first = Settings {
            search: "_".into(),
            replace: "-".into(),
            prefix: "web_".into(),
            ..Settings::default()
        };
        let second =
            Settings { pattern: "{name}_{width}x{height}_{format}_{original}".into(), ..Settings::default() };
        assert_eq!(name("a_b.png", &[first, second]), "web_a-b_800x600_jpg_a_b.jpg");
    }

    #[test]
    fn a_name_stays_one_clean_name_with_one_extension() {
        let with = |suffix: &str| Settings { suffix: suffix.into(), ..Settings::default() };
        assert_eq!(name("a.png", &[with(". ")]), "a.jpg");
        assert_eq!(name("{name}{width}.png", &[Settings::default()]), "{name}{width}.jpg");
        let gone = Settings { search: "a".into(), ..Settings::default() };
        assert_eq!(name("a.png", &[gone]), "image.jpg");
        assert_eq!(name("a.png", &[with("\u{7}?")]), "a__.jpg");
        let long = name(&format!("{}.png", "é".repeat(180)), &[with("_x")]);
        assert!(long.len() <= FileName::MAX_BYTES && long.ends_with(".jpg"), "{long}");
    }

    #[test]
    fn what_no_name_can_hold_is_refused() {
        let refuse = |settings: Settings| EditFilename::check(&settings).expect_err("refused");
        let pattern = |pattern: &str| Settings { pattern: pattern.into(), ..Settings::default() };
        assert!(refuse(pattern("{nme}")).starts_with("`pattern` holds `{nme}`; there are `{name}`"));
        assert!(refuse(pattern("{name")).starts_with("`pattern` holds `{name`"));
        assert!(refuse(pattern(" ")).contains("`{name}`"));
        assert!(refuse(Settings { prefix: "../".into(), ..Settings::default() }).contains("cannot hold"));
        assert!(refuse(Settings { suffix: "x".repeat(101), ..Settings::default() }).contains("at most 100"));
    }
}
