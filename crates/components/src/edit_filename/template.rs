//! Patterns of names: placeholders in braces, and what they stand for.

/// Placeholders that every name has.
pub(super) const VARIABLES: [&str; 8] = ["name", "original", "width", "height", "w", "h", "format", "ext"];

/// What the placeholders of one file stand for.
pub(super) struct Variables<'a> {
    /// The input's name without its extension.
    pub original: &'a str,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Extension of the file, without its dot.
    pub extension: &'a str,
}

impl Variables<'_> {
    /// What a placeholder stands for, where `name` is the name so far.
    pub(super) fn get(&self, variable: &str, name: &str) -> Option<String> {
        Some(match variable {
            "name" => name.to_owned(),
            "original" => self.original.to_owned(),
            "width" | "w" => self.size.0.to_string(),
            "height" | "h" => self.size.1.to_string(),
            "format" | "ext" => self.extension.to_owned(),
            _ => return None,
        })
    }
}

/// Refuses a pattern that is empty, or has placeholders other than the usual, `more`, and `groups`.
pub(crate) fn check_pattern(
    setting: &str,
    pattern: &str,
    more: &[&str],
    groups: &[&str],
) -> Result<(), String> {
    let known = || VARIABLES.iter().chain(more).chain(groups);
    for part in pattern.split('{').skip(1) {
        let variable = part.split_once('}').map(|(name, _)| name);
        if !variable.is_some_and(|name| known().any(|known| *known == name)) {
            let known: Vec<String> = known().map(|name| format!("`{{{name}}}`")).collect();
            return Err(format!(
                "`{setting}` holds `{{{}`; there are {}",
                part.split_inclusive('}').next().unwrap_or_default(),
                known.join(", ")
            ));
        }
    }
    if pattern.trim().is_empty() {
        return Err(format!("`{setting}` is empty; write at least `{{name}}`"));
    }
    Ok(())
}

/// One pass from left to right, so that a name with braces in it is never taken for a placeholder.
pub(super) fn fill_in(pattern: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(pattern.len() + 32);
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((variable, after)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        match value(variable) {
            Some(value) => filled.push_str(&value),
            None => filled.extend(["{", variable, "}"]),
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// The first 8 to 14 digits of a text, with zeros in front up to 14 (GS1 General Specifications 3.3).
pub(super) fn gtin14(text: &str) -> Option<String> {
    let digits = text.split(|c: char| !c.is_ascii_digit()).find(|run| (8..=14).contains(&run.len()))?;
    Some(format!("{digits:0>14}"))
}

/// Letters of ASCII for those of other scripts; everything that shops refuse in a name becomes one `_`.
pub(super) fn plain(name: &str) -> String {
    let mut german = String::with_capacity(name.len() + 8);
    let mut letters = name.chars().peekable();
    while let Some(c) = letters.next() {
        // Some systems write a letter and its dots apart.
        let dotted = letters.next_if_eq(&'\u{308}').is_some();
        let c = match c {
            'a' if dotted => 'ä',
            'o' if dotted => 'ö',
            'u' if dotted => 'ü',
            'A' if dotted => 'Ä',
            'O' if dotted => 'Ö',
            'U' if dotted => 'Ü',
            c => c,
        };
        // As DIN 5007 and passports write them; elsewhere accents are dropped.
        match c {
            'ä' => german.push_str("ae"),
            'ö' => german.push_str("oe"),
            'ü' => german.push_str("ue"),
            'Ä' => german.push_str("Ae"),
            'Ö' => german.push_str("Oe"),
            'Ü' => german.push_str("Ue"),
            // Dashes of every length part words.
            '\u{2010}'..='\u{2015}' => german.push(' '),
            c => german.push(c),
        }
    }
    let mut out = String::with_capacity(german.len());
    for c in deunicode::deunicode(&german).chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
            out.push(c);
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out.trim_matches('_').to_owned()
}
