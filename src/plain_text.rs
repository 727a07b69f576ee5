//! Texts of other programs, made safe to show.

/// Returns a text without escape sequences, with a space for every other control character
/// and every character that changes the direction of the text, cut to `bytes` bytes and an
/// ellipsis.
///
/// Such a text cannot change how the text around it is shown. HTML is not escaped.
///
/// # Examples
///
/// ```
/// use active_status::event::plain_text;
///
/// assert_eq!(plain_text("\x1b[31mred\x1b[0m\tand\nblue", 100), "red and blue");
/// assert_eq!(plain_text("a long text", 6), "a long…");
/// ```
pub fn plain_text(text: &str, bytes: usize) -> String {
    if text.len() <= bytes && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        if plain.len() + char.len_utf8() > bytes {
            plain.push('…');
            break;
        }
        match char {
            '\u{1b}' => skip_sequence(&mut rest),
            char if char.is_control() || is_bidi(char) => plain.push(' '),
            char => plain.push(char),
        }
    }
    plain
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
    use super::plain_text;

    #[test]
    fn a_plain_text_has_no_sequences_and_no_controls() {
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
            assert_eq!(plain_text(text, 1_000), expected, "{text:?}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(plain_text("äöü", 6), "äöü");
        assert_eq!(plain_text("äöü", 5), "äö…");
        assert_eq!(plain_text("äöü", 0), "…");
    }
}
