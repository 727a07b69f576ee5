//! The repository avoids some words, and writes others instead.

use crate::repository::{files, read};

const PLACES: &str = ".ci .github ARCHITECTURE.md CHANGELOG.md CONTRIBUTING.md README.md \
    SECURITY.md Cargo.toml benches examples fleet fuzz/fuzz_targets src tests web";
const NOUN: &str = "row|line|event|item|node|child|job|worker|byte|frame|tick|poll|second\
    |block|board|call|file|merge|pool|round|turn|wake";
const NOUNS: &str = "rows|lines|events|items|nodes|children|jobs|workers|bytes|frames|ticks\
    |allocations|columns|instructions|messages|times|updates";
/// "gives a worker a row" is fine; "a row a worker" is not.
const NO_RECEIVER: &str = "!.|child|job|merge|pool|task|thread|worker";

/// The words to avoid, and what to write instead. Each word of a pattern matches one of
/// `a|b`, or none of `!a|b`; punctuation marks count as the word `.`.
const TABLE: [(&[&str], &str); 10] = [
    (&["a|an", NO_RECEIVER, "a|an", NOUN], "one row per worker"),
    (&[NOUNS, "a|an", NOUN], "bytes per child"),
    (&["nobody|somebody|whoever|whom"], "the thread, the task, the caller"),
    (&["!author|authors|people|user|users", "who"], "the thread that, the caller that"),
    (&["also", "if|by|while|when|where|before|after"], "even if, even while"),
    (&["so", "many"], "the given number of, `count`"),
    (&["of", "its|their|our|your", "own"], "its own thread, a separate channel"),
    (&["ours|yours"], "this crate's, another"),
    (&["news"], "a pending update"),
    (&["tells|told"], "says, reports, distinguishes, is given"),
];

fn fits(pattern: &str, word: &str) -> bool {
    match pattern.strip_prefix('!') {
        Some(others) => others.split('|').all(|other| other != word),
        None => pattern.split('|').any(|one| one == word),
    }
}

#[test]
fn no_file_holds_what_the_table_avoids() {
    let mut found = Vec::new();
    for file in PLACES.split_whitespace().flat_map(files).filter(|file| !file.ends_with(file!())) {
        let text = read(&file).to_lowercase();
        let mut words = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            // A word may be marked up, and a sentence goes on in the next line.
            let line = line.replace(|char| "/!#*_`[]\"".contains(char), " ");
            let line = line.replace(|char: char| !char.is_alphanumeric() && char != ' ', " . ");
            words.extend(line.split_whitespace().map(|word| (number, word.to_owned())));
        }
        for (pattern, instead) in TABLE {
            for words in words.windows(pattern.len()) {
                if pattern.iter().zip(words).all(|(one, (_, word))| fits(one, word)) {
                    let said: Vec<_> = words.iter().map(|(_, word)| word.as_str()).collect();
                    let (file, line) = (file.display(), words[0].0);
                    found.push(format!("{file}:{line}: {:?}, write {instead:?}", said.join(" ")));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}\n{} in all", found.join("\n"), found.len());
}
