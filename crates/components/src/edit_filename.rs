//! Changes the names of the result's files.

mod template;

use domain::component::Changes;
use domain::image::FileName;
use domain::workflow::Step;
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::{Context, Fault, Frame, settings};
pub(crate) use template::check_pattern;
use template::{Variables, fill_in, gtin14, plain};

/// Upper or lower case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Case {
    /// As it is.
    #[default]
    Keep,
    /// All lower case.
    Lower,
    /// All upper case; the extension stays lower case.
    Upper,
}

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
    /// Regular expression for the input's name without its extension, whose named groups become placeholders of
    /// `pattern`: `(?<sku>[0-9]+)_(?<view>[a-z]+)` gives `{sku}` and `{view}`. A picture whose name it does not match is
    /// refused. Empty looks for nothing.
    #[schemars(length(max = 200))]
    pub extract: String,
    /// The new name, made of text and `{name}` (the name so far), `{original}` (the input's name), `{width}` or `{w}`,
    /// `{height}` or `{h}` (of the result, in pixels), `{format}` or `{ext}` (`jpg`), `{gtin14}` (the group `gtin` of
    /// `extract`, or else the first 8 to 14 digits of the input's name, with zeros in front up to 14), and the named
    /// groups of `extract`. The extension follows by itself.
    #[schemars(length(max = 200))]
    pub pattern: String,
    /// Text in front of the name.
    #[schemars(length(max = 100))]
    pub prefix: String,
    /// Text after the name, before the extension.
    #[schemars(length(max = 100))]
    pub suffix: String,
    /// Whether letters become those of ASCII (`ü` becomes `ue`, `é` becomes `e`) and all but letters, digits, `-`, `_` and
    /// `.` becomes `_`, as some shops demand.
    pub transliterate: bool,
    /// Upper or lower case.
    pub case: Case,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            search: String::new(),
            replace: String::new(),
            extract: String::new(),
            pattern: "{name}".to_owned(),
            prefix: String::new(),
            suffix: String::new(),
            transliterate: false,
            case: Case::Keep,
        }
    }
}

impl Settings {
    /// The expression of `extract`; `None` where it looks for nothing. Refuses what is none, or too large.
    fn expression(&self) -> Result<Option<Regex>, String> {
        if self.extract.is_empty() {
            return Ok(None);
        }
        // Matching takes time in proportion to the name, whatever the expression; its size is what has to be limited.
        let built = RegexBuilder::new(&self.extract).size_limit(1 << 18).dfa_size_limit(1 << 20).build();
        built.map(Some).map_err(|error| {
            let reason = error.to_string();
            let last = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("`extract` is `{}`, which is no regular expression ({last})", self.extract)
        })
    }
}

/// One change of a name, kept until the result's size and format are known.
pub(crate) type Edit = Settings;

/// Changes the name of the result's file.
pub struct EditFilename;

impl Component for EditFilename {
    const KIND: &'static str = "editFilename";
    const TITLE: &'static str = "Edit filename";
    const SUMMARY: &'static str = "Changes the name of the result: search and replace, parts of the input's name, pattern, prefix, suffix, case.";
    const VERSION: u32 = 2;
    const CREDITS: u32 = 0;
    const CHANGES: Changes = Changes::NONE;

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        let texts = [
            ("search", &settings.search, 100),
            ("replace", &settings.replace, 100),
            ("extract", &settings.extract, 200),
            ("pattern", &settings.pattern, 200),
            ("prefix", &settings.prefix, 100),
            ("suffix", &settings.suffix, 100),
        ];
        for (name, text, most) in texts {
            let length = text.chars().count();
            if length > most {
                return Err(format!("`{name}` has {length} characters, at most {most} are allowed"));
            }
            if name != "search" && name != "extract" && text.contains(['/', '\\']) {
                return Err(format!("`{name}` is `{text}`; a name cannot hold `/` or `\\`"));
            }
        }
        let expression = settings.expression()?;
        let groups: Vec<&str> = expression.iter().flat_map(Regex::capture_names).flatten().collect();
        if let Some(group) = groups.iter().find(|group| template::VARIABLES.contains(group)) {
            return Err(format!(
                "`extract` names a group `{group}`, which is a placeholder already; choose another name"
            ));
        }
        check_pattern("pattern", &settings.pattern, &["gtin14"], &groups)
    }

    fn run(frame: &mut Frame, settings: &Settings, _: &Context<'_>) -> Result<(), Fault> {
        frame.name_edits.push(settings.clone());
        Ok(())
    }

    fn memory_bytes(_: f64) -> u64 {
        0
    }
}

/// Refuses a picture whose name does not hold what the edits among the steps take from it, before any work is done.
pub(crate) fn check_name(input: &FileName, steps: &[Step]) -> Result<(), Fault> {
    for step in steps.iter().filter(|step| step.kind == EditFilename::KIND) {
        let Ok(edit) = settings::read::<Settings>(&step.settings) else { continue };
        let stem = input.stem();
        let refuse = |reason: String| Err(Fault::input("name_unmatched", reason));
        if let Ok(Some(expression)) = edit.expression()
            && !expression.is_match(stem)
        {
            return refuse(format!(
                "the name `{stem}` does not match `extract` (`{}`) of step `{}`; rename the file, or change the expression",
                edit.extract, step.label
            ));
        }
        if edit.pattern.contains("{gtin14}") && edit.gtin14(stem).is_none() {
            return refuse(format!(
                "the name `{stem}` holds no GTIN (8 to 14 digits), which step `{}` needs; rename the file",
                step.label
            ));
        }
    }
    Ok(())
}

impl Settings {
    fn gtin14(&self, original: &str) -> Option<String> {
        let expression = self.expression().ok().flatten();
        let group = expression.as_ref().and_then(|expression| expression.captures(original)?.name("gtin"));
        gtin14(group.map_or(original, |group| group.as_str()))
    }

    /// The name after this edit.
    fn apply(&self, stem: &str, variables: &Variables<'_>) -> String {
        let stem =
            if self.search.is_empty() { stem.to_owned() } else { stem.replace(&self.search, &self.replace) };
        let expression = self.expression().ok().flatten();
        let captures = expression.as_ref().and_then(|expression| expression.captures(variables.original));
        let own = |name: &str| -> Option<String> {
            if name == "gtin14" {
                return self.gtin14(variables.original);
            }
            let is_group = expression.as_ref()?.capture_names().flatten().any(|group| group == name);
            let found = captures.as_ref().and_then(|captures| captures.name(name));
            is_group.then(|| found.map_or(String::new(), |found| found.as_str().to_owned()))
        };
        let named = fill_in(&self.pattern, |name| own(name).or_else(|| variables.get(name, &stem)));
        let mut named = format!("{}{named}{}", self.prefix, self.suffix);
        if self.transliterate {
            named = plain(&named);
        }
        match self.case {
            Case::Keep => named,
            Case::Lower => named.to_lowercase(),
            Case::Upper => named.to_uppercase(),
        }
    }
}

/// The result's name: the input's without its extension, through every edit, with the extension of its format.
pub(crate) fn result_name(input: &FileName, edits: &[Edit], size: (u32, u32), extension: &str) -> FileName {
    let variables = Variables { original: input.stem(), size, extension };
    let stem = edits.iter().fold(input.stem().to_owned(), |stem, edit| edit.apply(&stem, &variables));
    finished(&stem, extension)
}

/// The name of a further file: by its pattern, or `{name}_{output}`. `result` is the name of the result.
pub(crate) fn output_name(
    input: &FileName,
    result: &FileName,
    (label, pattern): (&str, &str),
    size: (u32, u32),
    extension: &str,
) -> FileName {
    let variables = Variables { original: input.stem(), size, extension };
    let pattern = if pattern.is_empty() { "{name}_{output}" } else { pattern };
    let stem = fill_in(pattern, |name| match name {
        "output" => Some(label.to_owned()),
        name => variables.get(name, result.stem()),
    });
    finished(&stem, extension)
}

fn finished(stem: &str, extension: &str) -> FileName {
    // Dots and blanks at the end would change what the extension is, or vanish on some systems.
    let stem = stem.trim().trim_end_matches(['.', ' ']);
    let stem = if stem.is_empty() { "image" } else { stem };
    FileName::clean(&format!("{stem}.{extension}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn name(input: &str, edits: &[Edit]) -> String {
        result_name(&FileName::clean(input), edits, (800, 600), "jpg").as_str().to_owned()
    }

    fn pattern(pattern: &str) -> Settings {
        Settings { pattern: pattern.into(), ..Settings::default() }
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
        let second = pattern("{name}_{width}x{h}_{format}_{original}");
        assert_eq!(name("a_b.png", &[first, second]), "web_a-b_800x600_jpg_a_b.jpg");
    }

    #[test]
    fn parts_of_the_inputs_name_become_placeholders() {
        let edit = Settings {
            extract: "^(?<sku>[0-9]+)[_-](?<view>[a-z]+)(?<rest>x)?".into(),
            ..pattern("{sku}_{view}{rest}_{w}x{h}")
        };
        EditFilename::check(&edit).expect("good settings");
        assert_eq!(name("4711-front (2).png", std::slice::from_ref(&edit)), "4711_front_800x600.jpg");
        let steps = |edit: &Settings| {
            let settings = serde_json::to_value(edit).expect("JSON");
            [Step { kind: "editFilename".into(), label: "name".into(), settings }]
        };
        check_name(&FileName::clean("4711-front.png"), &steps(&edit)).expect("it matches");
        let fault = check_name(&FileName::clean("IMG_0001.png"), &steps(&edit)).expect_err("it does not");
        assert_eq!(fault.code, "name_unmatched");
        assert!(
            fault.message.starts_with("the name `IMG_0001` does not match `extract`"),
            "{}",
            fault.message
        );
        let fault =
            check_name(&FileName::clean("shirt.png"), &steps(&pattern("{gtin14}"))).expect_err("no digits");
        assert!(fault.message.contains("holds no GTIN"), "{}", fault.message);
    }

    #[test]
    fn a_gtin_gets_its_zeros() {
        assert_eq!(name("4006381333931_a.png", &[pattern("{gtin14}")]), "04006381333931.jpg");
        assert_eq!(name("x 12345670 y.png", &[pattern("{gtin14}")]), "00000012345670.jpg");
        let edit = Settings { extract: "ean(?<gtin>[0-9]+)".into(), ..pattern("{gtin14}-{gtin}") };
        assert_eq!(name("99999999_ean4006381333931.png", &[edit]), "04006381333931-4006381333931.jpg");
    }

    #[test]
    fn names_for_strict_shops_are_plain() {
        let strict = Settings { transliterate: true, case: Case::Lower, ..Settings::default() };
        assert_eq!(
            name("Größe Übung Ærø—Ñandú (1).png", std::slice::from_ref(&strict)),
            "groesse_uebung_aero_nandu_1.jpg"
        );
        let twice = name(&name("Größe—Ñ (1).png", std::slice::from_ref(&strict)), &[strict]);
        assert_eq!(twice, "groesse_n_1.jpg");
        let upper = Settings { case: Case::Upper, ..Settings::default() };
        assert_eq!(name("straße.png", &[upper]), "STRASSE.jpg");
    }

    #[test]
    fn further_files_are_named_after_the_result() {
        let (input, result) = (FileName::clean("in.png"), FileName::clean("4711 a.jpg"));
        let named = |pattern: &str| {
            output_name(&input, &result, ("web", pattern), (100, 50), "webp").as_str().to_owned()
        };
        assert_eq!(named(""), "4711 a_web.webp");
        assert_eq!(named("{output}/{original}-{w}"), "in-100.webp");
        assert_eq!(named("{name}.MAIN"), "4711 a.MAIN.webp");
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
        assert!(refuse(pattern("{nme}")).starts_with("`pattern` holds `{nme}`; there are `{name}`"));
        assert!(refuse(pattern("{name")).starts_with("`pattern` holds `{name`"));
        assert!(refuse(pattern(" ")).contains("`{name}`"));
        assert!(refuse(Settings { prefix: "../".into(), ..Settings::default() }).contains("cannot hold"));
        assert!(refuse(Settings { suffix: "x".repeat(101), ..Settings::default() }).contains("at most 100"));
        assert!(
            refuse(Settings { extract: "(a".into(), ..Settings::default() })
                .contains("no regular expression")
        );
        assert!(refuse(Settings { extract: "(?<w>a)".into(), ..Settings::default() }).contains("already"));
        let huge = Settings { extract: "(\\w{900}){900}".into(), ..Settings::default() };
        assert!(refuse(huge).contains("`extract`"));
    }

    #[test]
    fn settings_of_before_still_mean_the_same() {
        let old = json!({ "search": "a", "replace": "b", "pattern": "{name}_{width}", "prefix": "p", "suffix": "s" });
        let read: Settings = settings::read(&old).expect("old settings");
        assert_eq!(name("a.png", &[read]), "pb_800s.jpg");
    }
}
