//! Text as a terminal shows it: cleaned of control characters, measured and cut.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The control character that starts an escape sequence. This file parses sequences;
/// only the painter writes them.
pub(crate) const ESCAPE: char = 27 as char;
const BELL: char = 7 as char;
/// The least width at which a text is cut elsewhere than at its end.
pub(crate) const SHORT: usize = 5;
/// The zero-width joiner of emoji.
const JOINER: char = '\u{200d}';

/// A token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// Characters other than control characters.
    Text(&'a str),
    /// A control character outside of a sequence.
    Control(char),
    /// A complete escape sequence.
    Sequence(&'a str),
}

/// Splits a text into tokens.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = text;
    core::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let sequence = sequence(rest);
        let length = match sequence {
            Some(length) => length,
            None if first.is_control() => first.len_utf8(),
            None => rest.find(char::is_control).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        Some(match sequence {
            Some(_) => Token::Sequence(token),
            None if first.is_control() => Token::Control(first),
            None => Token::Text(token),
        })
    })
}

/// Returns the length in bytes of the escape sequence at the start of `text`.
fn sequence(text: &str) -> Option<usize> {
    let mut chars = text.chars();
    let kind = match chars.next()? {
        ESCAPE => chars.next()?,
        // A C1 control character means the same as `ESC` and a letter.
        c @ '\u{80}'..='\u{9f}' => char::from_u32(u32::from(c) - 0x40)?,
        _ => return None,
    };
    let body = chars.as_str();
    let length = match kind {
        '[' => control_sequence(body),
        ']' | 'P' | 'X' | '^' | '_' => control_string(body),
        ' '..='/' => {
            let marks = run(body, ' '..='/');
            marks + run(&body[marks..], '0'..='~').min(1)
        }
        '0'..='~' => 0,
        _ => return None,
    };
    Some(text.len() - body.len() + length)
}

/// Returns the length of the parameters, the intermediates and the final byte.
fn control_sequence(body: &str) -> usize {
    let parameters = run(body, '0'..='?');
    let marks = parameters + run(&body[parameters..], ' '..='/');
    marks + run(&body[marks..], '@'..='~').min(1)
}

/// Returns the length of a string, including its terminator. Any other control character
/// ends it as well.
fn control_string(body: &str) -> usize {
    let length = body.find(char::is_control).unwrap_or(body.len());
    let end = &body[length..];
    let terminator = match end.chars().next() {
        Some(BELL) => 1,
        Some(ESCAPE) if end[1..].starts_with('\\') => 2,
        Some(c) if u32::from(c) == 0x9c => c.len_utf8(),
        _ => 0,
    };
    length + terminator
}

/// Returns the number of leading characters of `text` in an ASCII range.
fn run(text: &str, of: core::ops::RangeInclusive<char>) -> usize {
    text.find(|c| !of.contains(&c)).unwrap_or(text.len())
}

/// Returns the number of bytes of a text that may be visible in a row of the given width.
fn horizon(columns: usize) -> usize {
    columns.saturating_mul(32).saturating_add(1_024)
}

/// Cleans a text for a row of the given width. Escape sequences and control characters
/// are removed; tabs and line breaks become spaces. Text far beyond the end of the row is
/// not read, but replaced with `ellipsis`.
pub(crate) fn clean(text: &str, columns: usize, ellipsis: char) -> String {
    let mut end = text.len().min(horizon(columns));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut clean = String::with_capacity(end);
    for token in tokens(&text[..end]) {
        match token {
            Token::Text(text) => clean.extend(text.chars().filter_map(printable)),
            Token::Control('\t' | '\n' | '\r') => clean.push(' '),
            Token::Control(_) | Token::Sequence(_) => {}
        }
    }
    if end < text.len() {
        clean.push(ellipsis);
    }
    clean
}

/// Returns the character to show instead: line separators become spaces, and characters
/// that change the direction of the following text are removed.
fn printable(c: char) -> Option<char> {
    match c {
        '\u{2028}' | '\u{2029}' => Some(' '),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
        _ => Some(c),
    }
}

/// Returns the maximum number of columns of a clean text, because terminals disagree
/// about it.
pub(crate) fn width(clean: &str) -> usize {
    if clean.is_ascii() { clean.len() } else { clusters(clean).map(|cluster| cluster.1).sum() }
}

/// Returns whether every terminal gives the text the columns of [`width`]: ASCII, Braille, and
/// the characters of Chinese, Japanese and Korean that are always wide.
pub(crate) fn is_certain(clean: &str) -> bool {
    clean.is_ascii() || clean.chars().all(is_certain_character)
}

fn is_certain_character(c: char) -> bool {
    let wide = matches!(
        c,
        '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{4e00}'..='\u{9fff}'
            | '\u{ac00}'..='\u{d7a3}'
    );
    c.is_ascii() || wide || matches!(c, '\u{2800}'..='\u{28ff}')
}

/// Returns the columns that a terminal gives a character of a clean text at most.
pub(crate) fn most_columns(c: char) -> usize {
    if is_certain_character(c) { columns_of(c) } else { 2 }
}

/// Returns the minimum number of rows of a clean text on a screen that wraps it.
pub(crate) fn wrapped_rows(clean: &str, columns: usize) -> usize {
    let (mut rows, mut taken) = (1, 0);
    for (cluster, _) in clusters(clean) {
        let needed = cluster.width().min(cluster.chars().map(columns_of).sum());
        taken += needed;
        if taken > columns {
            rows += usize::from(taken > needed);
            taken = needed;
        }
    }
    rows
}

/// Cuts a clean text to the given width, and replaces the end with `ellipsis` if it was
/// cut.
pub(crate) fn cut(clean: &str, columns: usize, ellipsis: char) -> String {
    if width(clean) <= columns {
        return clean.into();
    }
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    let mut taken = 0;
    let fit = clusters(clean).take_while(|cluster| {
        taken += cluster.1;
        taken <= room
    });
    let mut cut: String = fit.map(|cluster| cluster.0).collect();
    if !cut.ends_with(ellipsis) {
        cut.push(ellipsis);
    }
    cut
}

/// Cuts a clean text in its middle: two fifths of the room go to its start, three fifths to
/// its end. Below five columns the end is cut.
pub(crate) fn cut_middle(clean: &str, columns: usize, ellipsis: char) -> String {
    let room = columns.saturating_sub(1);
    cut_out(clean, columns, (room * 2 + 2) / 5, ellipsis)
}

/// Cuts a clean text like [`cut_middle`], but keeps the last third, which often is a number.
pub(crate) fn cut_prefix(clean: &str, columns: usize, ellipsis: char) -> String {
    cut_out(clean, columns, columns.saturating_sub(1 + columns / 3), ellipsis)
}

/// Cuts a clean text. Of a path, whole components stay if they fit: `src/…/terminal.rs`, or
/// else `…/terminal.rs`. Other texts are cut in their middle.
pub(crate) fn cut_text(clean: &str, columns: usize, ellipsis: char) -> String {
    let is_separator = |c| matches!(c, '/' | '\\');
    let last = clean.rfind(is_separator).map(|at| &clean[at..]);
    if let Some(last) = last.filter(|last| !last.contains(' ') && width(clean) > columns) {
        let first = clean.find(is_separator).map_or("", |at| &clean[..=at]);
        let long = format!("{first}{ellipsis}{last}");
        let short = format!("{ellipsis}{last}");
        let is_shorter = |text: &String| width(text) <= columns;
        if let Some(path) = [long, short].into_iter().find(is_shorter) {
            return path;
        }
    }
    cut_middle(clean, columns, ellipsis)
}

/// Cuts a clean text to the given width. `head` columns before the `ellipsis` stay, and the
/// rest of the room is for the end of the text.
fn cut_out(clean: &str, columns: usize, head: usize, ellipsis: char) -> String {
    if columns < SHORT || width(clean) <= columns {
        return cut(clean, columns, ellipsis);
    }
    let all: Vec<(&str, usize)> = clusters(clean).collect();
    let start = bytes_within(all.iter(), head);
    let end = bytes_within(all.iter().rev(), columns - 1 - head);
    format!("{}{ellipsis}{}", &clean[..start], &clean[clean.len() - end..])
}

/// Returns the bytes of the first clusters that fit the given width.
fn bytes_within<'a>(clusters: impl Iterator<Item = &'a (&'a str, usize)>, room: usize) -> usize {
    let mut taken = 0;
    let fit = clusters.take_while(|cluster| {
        taken += cluster.1;
        taken <= room
    });
    fit.map(|cluster| cluster.0.len()).sum()
}

/// Splits a text into grapheme clusters, each with its maximum number of columns.
pub(crate) fn clusters(clean: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut rest = clean;
    core::iter::from_fn(move || {
        let mut chars = rest.char_indices();
        let (_, mut last) = chars.next()?;
        let (mut sum, mut length) = (columns_of(last), 1);
        let mut end = rest.len();
        for (at, c) in chars {
            let flag = length == 1 && is_regional(last) && is_regional(c);
            if !(columns_of(c) == 0 || last == JOINER || is_modifier(c) || flag) {
                end = at;
                break;
            }
            sum += columns_of(c);
            length += 1;
            last = c;
        }
        let (cluster, after) = rest.split_at(end);
        rest = after;
        Some((cluster, if length == 1 { sum } else { sum.max(cluster.width()) }))
    })
}

/// Returns the columns of a character by itself.
pub(crate) fn columns_of(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// Returns `true` if the character is half of a flag.
fn is_regional(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

/// Returns `true` if the character is a skin tone modifier.
fn is_modifier(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_into_tokens() {
        let text = "a\x1b[1mb\x1b]8;;u\x1b\\\tc\x1b(B\x1b";
        let expected = [
            Token::Text("a"),
            Token::Sequence("\x1b[1m"),
            Token::Text("b"),
            Token::Sequence("\x1b]8;;u\x1b\\"),
            Token::Control('\t'),
            Token::Text("c"),
            Token::Sequence("\x1b(B"),
            Token::Control('\x1b'),
        ];
        assert_eq!(tokens(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn text_beyond_the_row_is_not_read() {
        let text = "\x1b[1m".repeat(2_500_000);
        assert_eq!(clean(&text, 80, '…'), "…");
        let text = "漢".repeat(3_333_333);
        assert!(clean(&text, 80, '…').len() <= horizon(80) + '…'.len_utf8());
    }

    #[test]
    fn a_text_has_its_maximum_width() {
        for (text, columns) in [
            ("", 0),
            ("abc", 3),
            ("漢字", 4),
            ("e\u{301}", 1),
            ("\u{301}", 0),
            ("❤\u{fe0f}", 2),
            ("👍🏽", 4),
            ("🇨🇭", 2),
            ("한국", 4),
        ] {
            assert_eq!(width(text), columns, "{text:?}");
        }
    }

    // Rule 16
    #[test]
    fn a_cut_keeps_clusters_together() {
        for (text, columns, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("漢字漢字", 4, "漢…"),
            ("ae\u{301}bc", 3, "ae\u{301}…"),
            ("🇨🇭🇦🇹", 3, "🇨🇭…"),
            ("abc", 1, "…"),
            ("abc", 0, ""),
        ] {
            assert_eq!(cut(text, columns, '…'), expected);
        }
    }

    // Rule 16
    #[test]
    fn a_text_is_cut_in_its_middle_and_a_path_between_its_parts() {
        for (text, columns, expected) in [
            ("part-03.tar.gz", 14, "part-03.tar.gz"),
            ("part-03.tar.gz", 13, "part-….tar.gz"),
            ("readme.md", 6, "re….md"),
            ("readme.md", 5, "re…md"),
            ("readme.md", 4, "rea…"),
            ("「東京スカイツリー」へようこそ.md", 20, "「東京ス…ようこそ.md"),
            ("src/console/live/terminal.rs", 20, "src/…/terminal.rs"),
            ("src/console/live/terminal.rs", 16, "…/terminal.rs"),
            ("src/console/live/terminal.rs", 12, "src/…inal.rs"),
            (r"src\console\live.rs", 13, r"src\…\live.rs"),
            ("3/12 files of the folder", 12, "3/12… folder"),
        ] {
            assert_eq!(cut_text(text, columns, '…'), expected, "{text:?} in {columns}");
        }
    }

    // Rule 16
    #[test]
    fn a_prefix_keeps_its_number() {
        for (text, columns, expected) in [
            ("worker 1", 8, "worker 1"),
            ("worker 1", 7, "work… 1"),
            ("worker 1", 5, "wor…1"),
            ("worker 1", 4, "wor…"),
        ] {
            assert_eq!(cut_prefix(text, columns, '…'), expected);
        }
    }

    #[test]
    fn a_wrapped_text_takes_the_fewest_rows() {
        for (text, columns, rows) in
            [("", 5, 1), ("abcde", 5, 1), ("abcdef", 5, 2), ("漢字漢字", 3, 4), ("漢字", 1, 2)]
        {
            assert_eq!(wrapped_rows(text, columns), rows, "{text:?}");
        }
    }
}
