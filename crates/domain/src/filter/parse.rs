//! Text to expression.

use super::{Asked, Expr, Literal, MAX_BYTES, MAX_COMPARISONS, MAX_DEPTH, Relation, Written, shown};

/// The text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the filter is wrong at character {at}: expected {expected}, found {found}")]
pub struct Malformed {
    /// At which character, counted from 1.
    pub at: usize,
    /// What should be there.
    pub expected: &'static str,
    /// What is there.
    pub found: String,
}

/// Reads an expression; [the module](super) says how one is written.
pub fn parse(text: &str) -> Result<Written, Malformed> {
    let mut parser = Parser { text, at: 0, depth: 0, comparisons: 0 };
    if text.len() > MAX_BYTES {
        parser.at = (0..=MAX_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        return Err(parser.expected("the end, as a filter has at most 4096 bytes"));
    }
    if let Some(at) = text.find('\0') {
        parser.at = at;
        return Err(parser.expected("text without the character U+0000"));
    }
    let expr = parser.or()?;
    parser.blanks();
    match parser.rest() {
        "" => Ok(expr),
        _ => {
            Err(parser
                .expected("`AND`, `OR` or the end (a value with blanks, commas or signs goes in quotes)"))
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    /// The byte to be read next.
    at: usize,
    depth: usize,
    comparisons: usize,
}

impl<'a> Parser<'a> {
    fn or(&mut self) -> Result<Written, Malformed> {
        let mut parts = vec![self.and()?];
        while self.keyword("or") {
            parts.push(self.and()?);
        }
        Ok(joined(parts, Expr::Or))
    }

    fn and(&mut self) -> Result<Written, Malformed> {
        let mut parts = vec![self.not()?];
        while self.keyword("and") {
            parts.push(self.not()?);
        }
        Ok(joined(parts, Expr::And))
    }

    fn not(&mut self) -> Result<Written, Malformed> {
        self.blanks();
        let begin = self.at;
        if self.keyword("not") {
            return self.deeper(begin, |parser| Ok(Expr::none_of(parser.not()?)));
        }
        if self.take("(") {
            return self.deeper(begin, |parser| {
                let inner = parser.or()?;
                parser.blanks();
                if parser.take(")") { Ok(inner) } else { Err(parser.expected("`AND`, `OR` or `)`")) }
            });
        }
        self.comparison()
    }

    fn deeper(
        &mut self,
        begin: usize,
        read: impl FnOnce(&mut Self) -> Result<Written, Malformed>,
    ) -> Result<Written, Malformed> {
        if self.depth == MAX_DEPTH {
            self.at = begin;
            return Err(self.expected("a comparison, as parentheses and `NOT` nest at most 32 deep"));
        }
        self.depth += 1;
        let inner = read(self);
        self.depth -= 1;
        inner
    }

    fn comparison(&mut self) -> Result<Written, Malformed> {
        let begin = self.at;
        let field = self.word();
        if field.is_empty() || field.starts_with(|first: char| first.is_ascii_digit()) {
            self.at = begin;
            return Err(self.expected("a field, `NOT` or `(`"));
        }
        if self.comparisons == MAX_COMPARISONS {
            self.at = begin;
            return Err(self.expected("the end, as a filter has at most 100 comparisons"));
        }
        self.comparisons += 1;
        let test = if self.take(".") { self.dotted()? } else { self.infix()? };
        Ok(Expr::Compare { field: field.to_owned(), test })
    }

    fn dotted(&mut self) -> Result<Asked, Malformed> {
        let begin = self.at;
        let name = self.word().to_ascii_lowercase();
        let relation = Relation::ALL.into_iter().find(|relation| relation.as_str() == name);
        if relation.is_none() && !["in", "like", "isnull"].contains(&name.as_str()) {
            self.at = begin;
            return Err(self.expected(
                "one of `eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `in`, `like`, `isnull` behind the dot",
            ));
        }
        self.blanks();
        if !self.take(":") {
            return Err(self.expected("`:` behind the operator"));
        }
        Ok(match (relation, name.as_str()) {
            (Some(relation), _) => Asked::Is(relation, self.literal()?),
            (None, "in") => Asked::In(self.list()?),
            (None, "like") => Asked::Like(self.literal()?),
            (None, _) => Asked::IsNull(self.literal()?),
        })
    }

    fn infix(&mut self) -> Result<Asked, Malformed> {
        const SIGNS: [(&str, Relation); 6] = [
            (">=", Relation::Gte),
            ("<=", Relation::Lte),
            (":", Relation::Eq),
            ("=", Relation::Eq),
            (">", Relation::Gt),
            ("<", Relation::Lt),
        ];
        self.blanks();
        match SIGNS.into_iter().find(|(sign, _)| self.take(sign)) {
            Some((_, relation)) => Ok(Asked::Is(relation, self.literal()?)),
            None => Err(self
                .expected("one of `:`, `=`, `>`, `<`, `>=`, `<=`, or a dot and an operator such as `.ne:`")),
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>, Malformed> {
        self.blanks();
        let is_enclosed = self.take("(");
        let mut literals = vec![self.literal()?];
        loop {
            self.blanks();
            if self.take(",") {
                literals.push(self.literal()?);
            } else if !is_enclosed || self.take(")") {
                return Ok(literals);
            } else {
                return Err(self.expected("`,` or `)`"));
            }
        }
    }

    fn literal(&mut self) -> Result<Literal, Malformed> {
        self.blanks();
        let quote = self.rest().chars().next().filter(|first| matches!(first, '\'' | '"'));
        match quote {
            Some(quote) => Ok(Literal { text: self.quoted(quote)?, quoted: true }),
            None => {
                let bare = self.run(is_bare);
                match bare {
                    "" => Err(self.expected("a value")),
                    _ => Ok(Literal { text: bare.to_owned() + &self.lost_offset(bare), quoted: false }),
                }
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, Malformed> {
        self.at += quote.len_utf8();
        let mut text = String::new();
        loop {
            text.push_str(self.run(|char| char != quote));
            if self.rest().is_empty() {
                return Err(self.expected("the quote that ends the value"));
            }
            self.at += quote.len_utf8();
            if !self.rest().starts_with(quote) {
                return Ok(text);
            }
            self.at += quote.len_utf8();
            text.push(quote);
        }
    }

    /// The offset of a time whose `+` has become a blank on its way, as `+` does in a form. Nothing else can stand there.
    fn lost_offset(&mut self, time: &str) -> String {
        let shape = |text: &str| -> String {
            text.chars()
                .map(|char| if char.is_ascii_digit() { '0' } else { char.to_ascii_uppercase() })
                .collect()
        };
        let whole = time.split('.').next().unwrap_or_default();
        let offset = self.rest().get(..6).filter(|offset| shape(offset) == " 00:00");
        let ends = !self.rest().get(6..).is_some_and(|rest| rest.starts_with(is_bare));
        match offset.filter(|_| ends && shape(whole) == "0000-00-00T00:00:00") {
            Some(offset) => {
                self.at += offset.len();
                format!("+{}", &offset[1..])
            }
            None => String::new(),
        }
    }

    /// Whether that word is next, in any letter case and not as the beginning of a longer one; passes over it.
    fn keyword(&mut self, keyword: &str) -> bool {
        self.blanks();
        let begin = self.at;
        let is_it = self.word().eq_ignore_ascii_case(keyword);
        if !is_it {
            self.at = begin;
        }
        is_it
    }

    fn blanks(&mut self) {
        self.run(char::is_whitespace);
    }

    fn word(&mut self) -> &'a str {
        self.run(is_word)
    }

    /// Passes over characters of that sort.
    fn run(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|char| !belongs(char)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn take(&mut self, sign: &str) -> bool {
        let is_next = self.rest().starts_with(sign);
        if is_next {
            self.at += sign.len();
        }
        is_next
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn expected(&self, expected: &'static str) -> Malformed {
        let word = self.rest().split(|char| !is_word(char)).next().unwrap_or_default();
        let found = match (word, self.rest().chars().next()) {
            (_, None) => "the end".to_owned(),
            ("", Some(sign)) => shown(sign.encode_utf8(&mut [0; 4])),
            (word, _) => shown(word),
        };
        Malformed { at: self.text[..self.at].chars().count() + 1, expected, found }
    }
}

fn joined(mut parts: Vec<Written>, join: fn(Vec<Written>) -> Written) -> Written {
    if parts.len() == 1 { parts.remove(0) } else { join(parts) }
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

fn is_bare(char: char) -> bool {
    !char.is_whitespace() && !matches!(char, '\'' | '"' | '(' | ')' | ',' | '<' | '>' | '=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Test, Value, matches};
    use super::*;

    fn parsed(text: &str) -> Written {
        parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn wrong(text: &str) -> String {
        parse(text).expect_err(text).to_string()
    }

    #[test]
    fn both_notations_mean_the_same() {
        let shown = "client_ref.eq:'spring-07'";
        for text in [
            "client_ref.EQ:'spring-07'",
            "client_ref.eq:\"spring-07\"",
            " client_ref : 'spring-07' ",
            "client_ref='spring-07'",
            "client_ref.Eq : 'spring-07'",
            "(client_ref:'spring-07')",
        ] {
            assert_eq!(parsed(text).to_string(), shown, "{text}");
        }
        assert_eq!(parsed("a>=1 and a<=2").to_string(), "a.gte:1 AND a.lte:2");
        assert_eq!(parsed("a>1 Or a<2").to_string(), "a.gt:1 OR a.lt:2");
    }

    #[test]
    fn what_clients_send_is_read() {
        assert_eq!(
            parsed("status_code:succeeded AND created_at>2026-04-01").to_string(),
            "status_code.eq:succeeded AND created_at.gt:2026-04-01"
        );
        assert_eq!(parsed("slug.eq:'cutout-v2'").to_string(), "slug.eq:'cutout-v2'");
    }

    #[test]
    fn not_binds_tightest_then_and() {
        assert_eq!(parsed("NOT a:1 AND b:2 OR c:3"), parsed("((NOT a:1) AND b:2) OR c:3"));
        assert_eq!(parsed("a:1 OR b:2 AND NOT(c:3)").to_string(), "a.eq:1 OR b.eq:2 AND NOT c.eq:3");
        assert_eq!(parsed("NOT (a:1 OR b:2) AND c:3").to_string(), "NOT (a.eq:1 OR b.eq:2) AND c.eq:3");
        assert_eq!(parsed("not not a:1").to_string(), "NOT NOT a.eq:1");
    }

    #[test]
    fn lists_stand_with_and_without_parentheses() {
        for text in ["s.in:a,'b c'", "s.IN:(a,'b c')", "s.in: ( a , \"b c\" )", "s.in:a , 'b c'"] {
            assert_eq!(parsed(text).to_string(), "s.in:(a,'b c')", "{text}");
        }
        assert_eq!(parsed("s.in:a,b AND t:1 OR u.in:c").to_string(), "s.in:(a,b) AND t.eq:1 OR u.in:(c)");
        assert_eq!(parsed("s.in:'a,b'").to_string(), "s.in:('a,b')");
    }

    #[test]
    fn quotes_are_doubled_inside_their_own_kind() {
        for (text, value) in [
            ("'it''s'", "it's"),
            ("\"it's\"", "it's"),
            ("'say \"no\"'", "say \"no\""),
            ("\"say \"\"no\"\"\"", "say \"no\""),
            ("''", ""),
            ("''''", "'"),
            ("'ä (b), AND c'", "ä (b), AND c"),
        ] {
            let literal = Literal { text: value.to_owned(), quoted: true };
            let expr = Expr::Compare { field: "f".to_owned(), test: Asked::Is(Relation::Eq, literal) };
            assert_eq!(parsed(&format!("f:{text}")), expr, "{text}");
        }
    }

    #[test]
    fn barewords_may_be_words_of_the_language_and_times() {
        for value in [
            "and",
            "NOT",
            "null",
            "TRUE",
            "-17.5",
            "2026-04-01T10:00:00.5+02:00",
            "https://a.b/c?d",
            "ä",
            "a.b",
        ] {
            assert_eq!(parsed(&format!("f:{value} AND g:1")).to_string(), format!("f.eq:{value} AND g.eq:1"));
        }
    }

    #[test]
    fn an_offset_whose_plus_was_lost_is_found_again() {
        let shown = "t.gt:2026-04-01T10:00:00.25+02:00 AND u.eq:1";
        assert_eq!(parsed("t>2026-04-01T10:00:00.25 02:00 AND u:1").to_string(), shown);
        assert_eq!(parsed("(t>2026-04-01t10:00:00 02:00)").to_string(), "t.gt:2026-04-01t10:00:00+02:00");
        assert!(parse("t>2026-04-01 02:00").is_err());
        assert!(parse("t>2026-04-01T10:00:00 02:000").is_err());
    }

    #[test]
    fn an_error_says_where_and_what_was_expected() {
        for (text, at, expected, found) in [
            ("", 1, "a field, `NOT` or `(`", "the end"),
            ("a:", 3, "a value", "the end"),
            ("ä:1", 1, "a field, `NOT` or `(`", "`ä`"),
            ("a:'ä' b:2", 7, "`AND`, `OR` or the end", "`b`"),
            ("a:1 AND", 8, "a field, `NOT` or `(`", "the end"),
            ("(a:1 OR b:2", 12, "`AND`, `OR` or `)`", "the end"),
            ("a:1)", 4, "`AND`, `OR` or the end", "`)`"),
            ("a.foo:1", 3, "one of `eq`", "`foo`"),
            ("a.eq=1", 5, "`:` behind the operator", "`=`"),
            ("a!=1", 2, "`.ne:`", "`!`"),
            ("a==1", 3, "a value", "`=`"),
            ("a:'x", 5, "the quote that ends", "the end"),
            ("a.in:()", 7, "a value", "`)`"),
            ("a.in:(1 2)", 9, "`,` or `)`", "`2`"),
            ("a.in:1,", 8, "a value", "the end"),
            ("a:1,2", 4, "`AND`, `OR` or the end", "`,`"),
            ("1a:1", 1, "a field", "`1a`"),
            ("a:b\0", 4, "U+0000", "`\0`"),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!((error.at, error.found.as_str()), (at, found), "{text}: {error}");
            assert!(error.expected.contains(expected), "{text}: {error}");
        }
        assert_eq!(
            wrong("a:1 AND )"),
            "the filter is wrong at character 9: expected a field, `NOT` or `(`, found `)`"
        );
    }

    #[test]
    fn length_depth_and_number_are_bounded() {
        let long = |bytes: usize| format!("a:{}", "x".repeat(bytes - 2));
        assert!(parse(&long(MAX_BYTES)).is_ok());
        assert!(wrong(&long(MAX_BYTES + 1)).contains("at character 4097: expected the end"));
        assert!(wrong(&format!("a:{}", "ä".repeat(MAX_BYTES))).contains("at most 4096 bytes"));
        for (open, close) in [("(", ")"), ("NOT ", "")] {
            let deep = |depth: usize| format!("{}a:1{}", open.repeat(depth), close.repeat(depth));
            assert!(parse(&deep(MAX_DEPTH)).is_ok());
            assert!(wrong(&deep(MAX_DEPTH + 1)).contains("at most 32 deep"));
            assert!(parse(&open.repeat(1000)).is_err());
        }
        let many = |number: usize| vec!["a:1"; number].join(" OR ");
        assert!(parse(&many(MAX_COMPARISONS)).is_ok());
        assert!(wrong(&many(MAX_COMPARISONS + 1)).contains("at most 100 comparisons"));
    }

    fn literals() -> impl Strategy<Value = Literal> {
        let quoted = "[^\u{0}]{0,12}".prop_map(|text| Literal { text, quoted: true });
        let bare = "[a-zA-Z0-9_.:/+*%ä\\[!&|-]{1,12}".prop_map(|text| Literal { text, quoted: false });
        prop_oneof![quoted, bare]
    }

    fn asked() -> impl Strategy<Value = Asked> {
        prop_oneof![
            (prop::sample::select(Relation::ALL.to_vec()), literals())
                .prop_map(|(relation, literal)| Asked::Is(relation, literal)),
            prop::collection::vec(literals(), 1..4).prop_map(Asked::In),
            literals().prop_map(Asked::Like),
            literals().prop_map(Asked::IsNull),
        ]
    }

    fn written() -> impl Strategy<Value = Written> {
        // A field called as a word of the language would be read as that word.
        let field = "[a-z_][a-z0-9_]{0,8}"
            .prop_filter("a word of the language", |name| !["and", "or", "not"].contains(&name.as_str()));
        let leaf = (field, asked()).prop_map(|(field, test)| Expr::Compare { field, test });
        leaf.prop_recursive(4, 24, 4, |inner| {
            let several = prop::collection::vec(inner.clone(), 2..4);
            prop_oneof![
                several.clone().prop_map(Expr::And),
                several.prop_map(Expr::Or),
                inner.prop_map(Expr::none_of),
            ]
        })
    }

    /// What the words of an expression over `0` and `1` come to, by a yard of shunted operators.
    fn reference(words: &[&str]) -> bool {
        fn apply(operator: &str, values: &mut Vec<bool>) {
            let last = values.pop().expect("a value");
            let value = match operator {
                "NOT" => !last,
                "AND" => values.pop().expect("a value") & last,
                _ => values.pop().expect("a value") | last,
            };
            values.push(value);
        }
        let rank = |word: &str| ["OR", "AND", "NOT"].iter().position(|each| *each == word);
        let (mut values, mut operators) = (Vec::new(), Vec::<&str>::new());
        for word in words {
            match *word {
                "0" | "1" => values.push(*word == "1"),
                "(" | "NOT" => operators.push(word),
                ")" => {
                    while let Some(operator) = operators.pop().filter(|operator| *operator != "(") {
                        apply(operator, &mut values);
                    }
                }
                _ => {
                    while let Some(last) = operators.last().filter(|last| rank(last) >= rank(word)) {
                        apply(last, &mut values);
                        operators.pop();
                    }
                    operators.push(word);
                }
            }
        }
        while let Some(operator) = operators.pop() {
            apply(operator, &mut values);
        }
        values.pop().expect("a value")
    }

    fn words() -> impl Strategy<Value = Vec<&'static str>> {
        let leaf = prop_oneof![Just(vec!["0"]), Just(vec!["1"])];
        leaf.prop_recursive(5, 40, 2, |inner| {
            let two = (inner.clone(), inner.clone());
            prop_oneof![
                (two.clone(), prop_oneof![Just("AND"), Just("OR")]).prop_map(|((a, b), operator)| [
                    a,
                    vec![operator],
                    b
                ]
                .concat()),
                inner.clone().prop_map(|a| [vec!["NOT"], a].concat()),
                inner.prop_map(|a| [vec!["("], a, vec![")"]].concat()),
            ]
        })
    }

    fn truth(expr: &Written) -> Expr<()> {
        match expr {
            Expr::And(parts) => Expr::And(parts.iter().map(truth).collect()),
            Expr::Or(parts) => Expr::Or(parts.iter().map(truth).collect()),
            Expr::Not(inner) => Expr::none_of(truth(inner)),
            Expr::Compare { test: Asked::Is(_, literal), .. } => {
                let test = Test::Is(Relation::Eq, Value::Bool(literal.text == "1"));
                Expr::Compare { field: (), test }
            }
            Expr::Compare { .. } => unreachable!("only relations are written here"),
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(expr in written()) {
            let text = expr.to_string();
            if text.len() <= MAX_BYTES {
                prop_assert_eq!(parse(&text), Ok(expr), "{}", text);
            }
        }

        #[test]
        fn no_text_breaks_it(text in any::<String>()) {
            if let Ok(expr) = parse(&text) {
                prop_assert_eq!(parse(&expr.to_string()), Ok(expr));
            }
        }

        #[test]
        fn no_row_of_its_own_signs_breaks_it(text in "(a|b\\.|eq:|in:|AND | OR|NOT|[ ('\")(,:<>=.äx0-]){0,40}") {
            match parse(&text) {
                Ok(expr) => prop_assert_eq!(parse(&expr.to_string()), Ok(expr)),
                Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.at), "{}", error),
            }
        }

        #[test]
        fn precedence_is_as_the_reference_has_it(words in words()) {
            let written: Vec<_> = words
                .iter()
                .map(|word| match *word {
                    "0" | "1" => format!("x:{word}"),
                    word => word.to_owned(),
                })
                .collect();
            let text = written.join(" ");
            if let Ok(expr) = parse(&text) {
                let found = matches(&truth(&expr), &|()| Some(Value::Bool(true)));
                prop_assert_eq!(found, reference(&words), "{}", text);
            } else {
                let nested = words.iter().filter(|word| ["NOT", "("].contains(word)).count();
                prop_assert!(nested > MAX_DEPTH, "{}", text);
            }
        }
    }
}
