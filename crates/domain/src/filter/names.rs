//! Lists of names, as in `fields=id,status` and `embed=logs`.

use super::{listed, shown};

/// A name was given that is none of those there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not known here; there {}", shown(name), these(known))]
pub struct UnknownName {
    /// The name that was given.
    pub name: String,
    /// Those there are.
    pub known: Vec<String>,
}

fn these(known: &[String]) -> String {
    if known.is_empty() {
        return "is nothing of that kind".to_owned();
    }
    format!("are {}", listed(known.iter().map(String::as_str)))
}

/// The names in a comma-separated list, each once and in the order given. Blanks around a name and empty places do not
/// count. Fails at the first name that is not among `known`.
pub fn names<'a>(text: &str, known: &[&'a str]) -> Result<Vec<&'a str>, UnknownName> {
    let mut found: Vec<&'a str> = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match known.iter().find(|each| **each == name) {
            Some(each) if found.contains(each) => {}
            Some(each) => found.push(each),
            None => {
                let known = known.iter().map(|&name| name.to_owned()).collect();
                return Err(UnknownName { name: name.to_owned(), known });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = ["id", "status_code", "cost"];

    #[test]
    fn names_are_trimmed_and_kept_once() {
        assert_eq!(names(" cost, id ,,cost,", &KNOWN), Ok(vec!["cost", "id"]));
        assert_eq!(names("", &KNOWN), Ok(vec![]));
    }

    #[test]
    fn an_unknown_name_is_told_with_those_there_are() {
        let error = names("id,Cost", &KNOWN).unwrap_err();
        assert_eq!(error.to_string(), "`Cost` is not known here; there are `id`, `status_code`, `cost`");
    }
}
