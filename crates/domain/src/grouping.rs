//! Which pictures go into one result, told by their file names: `123_front.jpg` and `123_back.jpg` are both `123`.

use crate::image::FileName;

/// A pattern for file names without their extension, such as `{group}_{part}`: `{group}` and `{part}` once each, with
/// some text between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    before: String,
    between: String,
    after: String,
    group_first: bool,
}

/// The text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no pattern for file names; write `{{group}}` and `{{part}}` once each with some text between them, as in `{{group}}_{{part}}`"
)]
pub struct NoPattern(String);

const GROUP: &str = "{group}";
const PART: &str = "{part}";

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, NoPattern> {
        let wrong = || NoPattern(text.chars().take(80).collect());
        let (group, part) = (text.find(GROUP).ok_or_else(wrong)?, text.find(PART).ok_or_else(wrong)?);
        let group_first = group < part;
        let (first, second) = if group_first { (GROUP, PART) } else { (PART, GROUP) };
        let (before, rest) = text.split_once(first).ok_or_else(wrong)?;
        let (between, after) = rest.split_once(second).ok_or_else(wrong)?;
        let braces = |text: &str| text.contains(['{', '}']);
        if between.is_empty() || braces(before) || braces(between) || braces(after) {
            return Err(wrong());
        }
        Ok(Self {
            before: before.to_owned(),
            between: between.to_owned(),
            after: after.to_owned(),
            group_first,
        })
    }

    /// The group and the part that a name says, if it fits. Of several ways to divide it, the longest group counts.
    pub fn divide<'a>(&self, name: &'a FileName) -> Option<(&'a str, &'a str)> {
        let inner = name.stem().strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        let (group, part) = if self.group_first {
            inner.rsplit_once(&self.between)?
        } else {
            let (part, group) = inner.split_once(&self.between)?;
            (group, part)
        };
        (!group.is_empty() && !part.is_empty()).then_some((group, part))
    }

    /// Which of these names go together: the places of each group's members, groups in the order of their first member.
    /// Within a group, parts come in the order of `parts`, those not listed there after them by name. A name that does
    /// not fit is a group of its own.
    pub fn group(&self, names: &[&FileName], parts: &[String]) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut known = std::collections::HashMap::new();
        for (place, name) in names.iter().enumerate() {
            match self.divide(name) {
                None => groups.push(vec![place]),
                Some((group, _)) => {
                    let at = *known.entry(group).or_insert_with(|| {
                        groups.push(Vec::new());
                        groups.len() - 1
                    });
                    groups[at].push(place);
                }
            }
        }
        let rank = |place: &usize| {
            let part = self.divide(names[*place]).map_or("", |(_, part)| part);
            let listed = parts.iter().position(|listed| listed == part).unwrap_or(parts.len());
            (listed, part.to_owned(), *place)
        };
        for group in &mut groups {
            group.sort_by_key(rank);
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<FileName> {
        names.iter().map(|name| FileName::clean(name)).collect()
    }

    fn grouped(pattern: &str, given: &[&str], parts: &[&str]) -> Vec<Vec<usize>> {
        let names = names(given);
        let names: Vec<_> = names.iter().collect();
        let parts: Vec<_> = parts.iter().map(|part| (*part).to_owned()).collect();
        Pattern::parse(pattern).expect("a pattern").group(&names, &parts)
    }

    #[test]
    fn what_begins_alike_goes_together_in_the_order_of_its_parts() {
        let given =
            ["7_back.jpg", "12_3_front.png", "7_front.jpg", "cover.jpg", "12_3_back.png", "7_inlay.jpg"];
        let expected = vec![vec![2, 0, 5], vec![1, 4], vec![3]];
        assert_eq!(grouped("{group}_{part}", &given, &["front", "back"]), expected);
    }

    #[test]
    fn the_part_may_come_first_and_text_may_stand_around() {
        let given = ["shot-front-99 v2.jpg", "shot-back-99 v2.jpg", "shot-back-98 v1.jpg"];
        assert_eq!(grouped("shot-{part}-{group} v2", &given, &[]), vec![vec![1, 0], vec![2]]);
    }

    #[test]
    fn a_pattern_names_group_and_part_once_with_text_between() {
        for wrong in
            ["", "{group}", "{group}{part}", "{part}_x", "{group}_{part}_{part}", "{group}_{view}_{part}"]
        {
            assert!(Pattern::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Pattern::parse("").expect_err("empty").to_string().contains("{group}_{part}"));
    }
}
