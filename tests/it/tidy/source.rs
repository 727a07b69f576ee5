//! Rust source as far as the rules of the repository need it: words, signs and
//! literals without comments, and the paths that a file names.

use std::collections::BTreeSet;

/// A token and the line it starts on, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// An identifier, a keyword or a number.
    Word(&'a str),
    /// `::`, or one character of punctuation.
    Sign(&'a str),
    /// A string or character literal as it is written, quotes included.
    Literal(&'a str),
}

/// The tokens of `source`; comments, doc comments among them, are left out.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(first) = rest.chars().next() {
        let (length, kind) = if first.is_whitespace() {
            (first.len_utf8(), None)
        } else if let Some(length) = comment(rest) {
            (length, None)
        } else if let Some(length) = literal(rest) {
            (length, Some(Kind::Literal(&rest[..length])))
        } else if is_word(first) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            (length, Some(Kind::Word(&rest[..length])))
        } else {
            let length = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            (length, Some(Kind::Sign(&rest[..length])))
        };
        found.extend(kind.map(|kind| Token { kind, line }));
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the comment that `rest` starts with.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with("/*") {
        return None;
    }
    let mut depth = 0;
    for (at, _) in rest.match_indices(['/', '*']) {
        if rest[at..].starts_with("/*") {
            depth += 1;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
        }
        if depth == 0 {
            return Some(at + 2);
        }
    }
    None
}

/// The length of the literal that `rest` starts with. Lifetimes are none.
fn literal(rest: &str) -> Option<usize> {
    let prefix = rest.find(|c| !matches!(c, 'b' | 'c' | 'r')).filter(|&length| length <= 2)?;
    let body = &rest[prefix..];
    let length = if rest[..prefix].ends_with('r') { raw(body) } else { quoted(body) };
    length.map(|length| prefix + length)
}

fn raw(body: &str) -> Option<usize> {
    let hashes = body.find(|c| c != '#')?;
    let close = format!("\"{}", &body[..hashes]);
    let text = body[hashes..].strip_prefix('"')?;
    Some(hashes + 1 + text.find(&close)? + close.len())
}

fn quoted(body: &str) -> Option<usize> {
    let quote = body.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        if c == quote && !escaped {
            let characters = body[1..at].chars().count();
            let lifetime = quote == '\'' && characters > 1 && !body[1..].starts_with('\\');
            return (!lifetime).then_some(at + 1);
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

/// A path that a file names, from the crate root: `crate::board::Job` is
/// `["board", "Job"]`.
#[derive(Clone, Debug)]
pub(super) struct Import<'a> {
    pub(super) path: Vec<&'a str>,
    pub(super) line: usize,
}

/// The paths in `tokens`, the file of the module `file`, that start with
/// `crate`, `super`, `self` or the name of a child module, in `use` lines and
/// everywhere else.
pub(super) fn imports<'a>(file: &[&'a str], tokens: &[Token<'a>]) -> Vec<Import<'a>> {
    let children = children(tokens);
    let mut found = Vec::new();
    let mut inline: Vec<(&str, usize)> = Vec::new();
    let (mut depth, mut at) = (0, 0);
    while at < tokens.len() {
        match kinds(tokens, at) {
            [Kind::Word("mod"), Kind::Word(name), Kind::Sign("{")] => inline.push((name, depth)),
            [Kind::Sign("{"), ..] => depth += 1,
            [Kind::Sign("}"), ..] => {
                depth -= 1;
                inline.retain(|&(_, outside)| outside < depth);
            }
            [Kind::Word(head), Kind::Sign("::"), _] if !follows_colons(tokens, at) => {
                let child = inline.is_empty() && children.contains(head);
                if child || matches!(head, "crate" | "super" | "self") {
                    let inline = inline.iter().map(|&(name, _)| name);
                    let here = file.iter().copied().chain(inline).collect();
                    at = read_tree(tokens, at, here, &mut found);
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The modules that a file declares and that have files of their own.
fn children<'a>(tokens: &[Token<'a>]) -> BTreeSet<&'a str> {
    let declared = |at| match kinds(tokens, at) {
        [Kind::Word("mod"), Kind::Word(name), Kind::Sign(";")] => Some(name),
        _ => None,
    };
    (0..tokens.len()).filter_map(declared).collect()
}

/// The next tokens from `at`, filled up with empty signs.
fn kinds<'a, const N: usize>(tokens: &[Token<'a>], at: usize) -> [Kind<'a>; N] {
    std::array::from_fn(|next| tokens.get(at + next).map_or(Kind::Sign(""), |token| token.kind))
}

fn follows_colons(tokens: &[Token<'_>], at: usize) -> bool {
    at > 0 && tokens[at - 1].kind == Kind::Sign("::")
}

/// Reads the path or use tree at `at`, which stands in the module `path`, and
/// returns where it ends.
fn read_tree<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    mut path: Vec<&'a str>,
    found: &mut Vec<Import<'a>>,
) -> usize {
    loop {
        match kinds(tokens, at) {
            [Kind::Word("crate")] => path.clear(),
            [Kind::Word("super")] => drop(path.pop()),
            [Kind::Word("self")] => {}
            [Kind::Word(segment) | Kind::Sign(segment @ "*")] => path.push(segment),
            [Kind::Sign("{")] => return read_group(tokens, at + 1, &path, found),
            _ => break,
        }
        at += 1;
        if kinds(tokens, at) != [Kind::Sign("::")] {
            break;
        }
        at += 1;
    }
    let line = tokens[at - 1].line;
    found.push(Import { path, line });
    at
}

/// Reads the trees of a group, whose brace is before `at`.
fn read_group<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    path: &[&'a str],
    found: &mut Vec<Import<'a>>,
) -> usize {
    while at < tokens.len() && kinds(tokens, at) != [Kind::Sign("}")] {
        at = read_tree(tokens, at, path.to_vec(), found);
        while !matches!(kinds(tokens, at), [Kind::Sign("," | "}" | "")]) {
            at += 1;
        }
        at += usize::from(kinds(tokens, at) == [Kind::Sign(",")]);
    }
    at + 1
}

/// The tokens without the modules that only tests have.
pub(super) fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match test_module(tokens, at) {
            Some(open) => at = after_block(tokens, open),
            None => {
                kept.push(tokens[at]);
                at += 1;
            }
        }
    }
    kept
}

/// Where the brace of a module opens whose `cfg` with `test` in it is at `at`.
fn test_module(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let [Kind::Sign("#"), Kind::Sign("["), Kind::Word("cfg")] = kinds(tokens, at) else {
        return None;
    };
    let close = at + tokens[at..].iter().position(|token| token.kind == Kind::Sign("]"))?;
    let named = tokens[at..close].iter().any(|token| token.kind == Kind::Word("test"));
    let module = kinds(tokens, close + 1);
    let [Kind::Word("mod"), Kind::Word(_), Kind::Sign("{")] = module else { return None };
    named.then_some(close + 3)
}

/// Where the block ends whose brace is at `open`.
fn after_block(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Sign("{") => depth += 1,
            Kind::Sign("}") => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}
