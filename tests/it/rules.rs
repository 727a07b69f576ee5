//! Every rule of the board, as numbered in `src/guide/board.md`, has tests. A comment
//! `// Rule 3` or `// Rules 3, 12` above a test names the rules that the test checks.

use std::collections::BTreeSet;

use crate::repository::{files, read, root};

#[test]
fn every_rule_has_tests_and_every_tag_names_a_rule() {
    let page = read(&root().join("src/guide/board.md"));
    let numbers = page.lines().filter_map(|line| line.split_once(". **")?.0.parse().ok());
    let rules: BTreeSet<u32> = numbers.collect();
    assert_eq!(rules, (1..=24).collect());

    let mut tagged = BTreeSet::new();
    let code = |file: &std::path::PathBuf| file.extension().is_some_and(|end| end == "rs");
    for file in ["src", "tests/it"].into_iter().flat_map(files).filter(code) {
        let text = read(&file);
        let mut lines = text.lines().map(str::trim_start).peekable();
        while let Some(line) = lines.next() {
            let tag = line.strip_prefix("// Rule ").or(line.strip_prefix("// Rules "));
            let Some(tag) = tag else { continue };
            let is_test = lines.peek().is_some_and(|next| next.starts_with("#["));
            assert!(is_test, "{}: no test follows {line:?}", file.display());
            tagged.extend(tag.split(", ").map(|number| {
                let number = number.parse().ok().filter(|number| rules.contains(number));
                number.unwrap_or_else(|| panic!("{}: {line:?} is no rule", file.display()))
            }));
        }
    }
    assert_eq!(tagged, rules, "a rule has no test");
}
