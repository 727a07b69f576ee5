//! Cleaning the texts of jobs and lines, which may come from anywhere.

/// The maximum lengths in bytes of a prefix, of a text, and of a line or a message.
pub(crate) const PREFIX: usize = 256;
pub(crate) const TEXT: usize = 1_024;
pub(crate) const LINE: usize = 4_096;

/// Returns the text without escape sequences, with a space for each other control
/// character and each bidirectional override, cut to the given number of bytes. A newline
/// stays if `newlines` is set.
pub(crate) fn clean(text: &str, bytes: usize, newlines: bool) -> String {
    let mut cleaned = String::new();
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        if cleaned.len() + char.len_utf8() > bytes {
            cleaned.push('…');
            break;
        }
        match char {
            '\u{1b}' => skip_sequence(&mut rest),
            '\n' if newlines => cleaned.push('\n'),
            char if char.is_control() || is_bidi(char) => cleaned.push(' '),
            char => cleaned.push(char),
        }
    }
    cleaned
}

/// Skips an escape sequence, whose escape character has been read.
fn skip_sequence(rest: &mut core::str::Chars<'_>) {
    let mut peek = rest.clone();
    match peek.next() {
        // A control sequence, such as a color.
        Some('[') => {
            let parameter = |char: &char| matches!(char, ' '..='?');
            while peek.clone().next().as_ref().is_some_and(parameter) {
                peek.next();
            }
            if matches!(peek.clone().next(), Some('@'..='~')) {
                peek.next();
            }
        }
        // A string, such as a link or a title. One without an end takes the rest.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(char) = peek.next() {
                if char == '\u{7}' {
                    break;
                }
                if char == '\u{1b}' {
                    if peek.clone().next() == Some('\\') {
                        peek.next();
                    }
                    break;
                }
            }
        }
        Some(' '..='~') => {}
        _ => return,
    }
    *rest = peek;
}

/// Returns `true` for the characters that change the direction of the text around them.
fn is_bidi(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn a_clean_text_has_no_sequences_and_no_controls() {
        for (text, expected) in [
            ("plain – 東京 🍺", "plain – 東京 🍺"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{7}.", "link."),
            ("a\tb\r\nc\u{7f}", "a b  c "),
            ("\u{202e}txt.exe\u{2066}", " txt.exe "),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}[3\nx", " x"),
            ("\u{1b}]unterminated", ""),
            ("\u{1b}cx", "x"),
            ("<b>&amp;</b>", "<b>&amp;</b>"),
        ] {
            assert_eq!(clean(text, 1_000, false), expected, "{text:?}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(clean("äöü", 6, false), "äöü");
        assert_eq!(clean("äöü", 5, false), "äö…");
        assert_eq!(clean("äöü", 0, false), "…");
        assert_eq!(clean("a\nb", 9, true), "a\nb");
    }
}
