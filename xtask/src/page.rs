//! Tables inside pages that people write: each lies between two marks that name it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

/// Puts `text` between the marks of that name in the file; both must be there.
pub fn replace(file: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let page = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let Some(changed) = replaced(&page, name, text) else {
        bail!("`{}` has no marks called `{name}`: {} and {}", file.display(), begin(name), end(name));
    };
    fs::write(file, changed).with_context(|| format!("cannot write `{}`", file.display()))
}

fn begin(name: &str) -> String {
    format!("<!-- {name}: begin -->")
}

fn end(name: &str) -> String {
    format!("<!-- {name}: end -->")
}

fn replaced(page: &str, name: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(&begin(name))?;
    let (_, after) = rest.split_once(&end(name))?;
    Some(format!("{before}{}\n{}\n{}{after}", begin(name), text.trim(), end(name)))
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn what_lies_between_the_marks_is_replaced_and_nothing_else() {
        let page = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n";
        let once = replaced(page, "x", "new\n").expect("the marks are there");
        assert_eq!(once, "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb\n");
        assert_eq!(replaced(&once, "x", "new").as_deref(), Some(once.as_str()));
        assert_eq!(replaced(page, "y", "new"), None);
    }
}
