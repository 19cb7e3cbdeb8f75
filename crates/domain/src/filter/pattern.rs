//! What `like` looks for.

/// Part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Piece {
    /// This character.
    Char(char),
    /// Any one character.
    One,
    /// Any run of characters, also none. Never twice in a row.
    Any,
}

/// A pattern of text, which it matches as a whole and with its letter case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(Vec<Piece>);

impl Pattern {
    /// Reads `%` as any run of characters and `_` as any one. `\` before `%`, `_` or `\` makes it that character; before
    /// anything else it is itself.
    pub fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(char) = rest.next() {
            let piece = match char {
                '%' => Piece::Any,
                '_' => Piece::One,
                '\\' => Piece::Char(rest.next_if(|next| matches!(next, '%' | '_' | '\\')).unwrap_or('\\')),
                char => Piece::Char(char),
            };
            if piece != Piece::Any || pieces.last() != Some(&Piece::Any) {
                pieces.push(piece);
            }
        }
        Self(pieces)
    }

    /// Its parts, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// Whether the text is of this form. Takes at most as many steps as the product of both lengths.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut piece) = (0, 0);
        // Where the last run began, and how much of the text it takes so far.
        let mut run: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(piece) {
                Some(Piece::Any) => {
                    run = Some((piece, at));
                    piece += 1;
                }
                Some(Piece::One) => (at, piece) = (at + 1, piece + 1),
                Some(Piece::Char(char)) if *char == text[at] => (at, piece) = (at + 1, piece + 1),
                _ => match &mut run {
                    Some((begin, taken)) => {
                        *taken += 1;
                        (at, piece) = (*taken, *begin + 1);
                    }
                    None => return false,
                },
            }
        }
        self.0[piece..].iter().all(|piece| *piece == Piece::Any)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by the definition, in as much time as it takes.
    fn plainly(pieces: &[Piece], text: &[char]) -> bool {
        match pieces.split_first() {
            None => text.is_empty(),
            Some((Piece::Any, rest)) => (0..=text.len()).any(|skip| plainly(rest, &text[skip..])),
            Some((Piece::One, rest)) => !text.is_empty() && plainly(rest, &text[1..]),
            Some((Piece::Char(char), rest)) => text.first() == Some(char) && plainly(rest, &text[1..]),
        }
    }

    #[test]
    fn wildcards_match_whole_texts_with_their_case() {
        for (pattern, text, is_match) in [
            ("mug-%", "mug-17", true),
            ("mug-%", "Mug-17", false),
            ("%17", "mug-17", true),
            ("mug", "mug-17", false),
            ("m_g", "müg", true),
            ("m_g", "mg", false),
            ("", "", true),
            ("%", "", true),
            ("100\\%", "100%", true),
            ("100\\%", "100 of 100", false),
            ("a\\b", "a\\b", true),
            ("a\\\\%", "a\\b", true),
            ("*?[a]", "*?[a]", true),
        ] {
            assert_eq!(Pattern::parse(pattern).matches(text), is_match, "{pattern} {text}");
        }
    }

    #[test]
    fn many_runs_take_little_time() {
        let pattern = Pattern::parse(&"%a".repeat(1000));
        assert!(!pattern.matches(&("a".repeat(999) + "b")));
    }

    proptest! {
        #[test]
        fn it_is_what_the_definition_says(pattern in "[ab%_\\\\]{0,8}", text in "[ab%_\\\\]{0,8}") {
            let pattern = Pattern::parse(&pattern);
            let chars: Vec<char> = text.chars().collect();
            prop_assert_eq!(pattern.matches(&text), plainly(pattern.pieces(), &chars));
        }
    }
}
