//! The properties of an output, read from the environment.

use std::ffi::{OsStr, OsString};
#[cfg(all(unix, feature = "capture"))]
use std::io::IsTerminal;

use crate::io::stdio::{self, Target};

/// The properties of an output, read once from the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    /// Whether the output is a terminal.
    terminal: bool,
    term: OsString,
    /// Whether the terminal is known to interpret escape sequences.
    capable: bool,
    ci: OsString,
    accessible: OsString,
    no_color: OsString,
    force_color: OsString,
    clicolor_force: OsString,
    /// Whether the terminal truncates long rows when it becomes narrower. Most
    /// terminals reflow them.
    truncates: bool,
    /// Whether a multiplexer or a network is between the terminal and the program.
    remote: bool,
    /// Whether the terminal is known to understand `OSC 9;4`.
    progress: bool,
    /// The locale, which determines the character set.
    locale: OsString,
}

impl Environment {
    /// Reads the environment of a standard stream.
    pub(crate) fn of(stream: Target) -> Self {
        let terminal = stdio::open(stream).is_ok_and(|stream| stream.is_terminal());
        Self::new(terminal, escapes_enabled(), |name| std::env::var_os(name))
    }

    /// Returns the environment of an output other than a standard stream. It does not count
    /// as a terminal, and its locale is unknown.
    pub(crate) fn of_other() -> Self {
        Self { locale: OsString::new(), ..Self::new(false, None, |name| std::env::var_os(name)) }
    }

    fn new(
        terminal: bool,
        escapes: Option<bool>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        let read = |name: &str| variable(name).unwrap_or_default();
        Self {
            terminal,
            term: read("TERM"),
            capable: is_capable(escapes, read),
            ci: read("CI"),
            accessible: read("ACCESSIBLE"),
            no_color: read("NO_COLOR"),
            force_color: read("FORCE_COLOR"),
            clicolor_force: read("CLICOLOR_FORCE"),
            truncates: truncates(read),
            remote: is_remote(read),
            progress: knows_progress(read),
            locale: locale(read),
        }
    }

    /// Returns `true` if the output is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Returns `true` if rows should be live: on a terminal that is not dumb, outside CI,
    /// and without `ACCESSIBLE`.
    pub(crate) fn is_live(&self) -> bool {
        self.terminal && self.capable && !is_on(&self.ci) && !is_on(&self.accessible)
    }

    /// Returns `true` if rows should be colored. Forced color does not make a console
    /// live.
    pub(crate) fn has_color(&self) -> bool {
        let forced = is_on(&self.force_color) || is_on(&self.clicolor_force);
        self.no_color.is_empty() && (forced || self.terminal)
    }

    /// Returns `true` if the locale is UTF-8 or unset.
    pub(crate) fn has_unicode(&self) -> bool {
        let locale = self.locale.to_string_lossy().to_ascii_uppercase();
        // The font of the Linux console lacks the marks and the bars.
        self.term != "linux"
            && (locale.is_empty() || locale.contains("UTF-8") || locale.contains("UTF8"))
    }

    /// Returns `true` if the output is a terminal that is known to support `OSC 9;4`.
    pub(crate) fn shows_progress(&self) -> bool {
        self.terminal && self.progress
    }

    /// Returns `true` if the terminal may report a new size late.
    pub(crate) fn reports_late(&self) -> bool {
        self.remote
    }

    /// Returns `true` if the terminal reflows rows when it becomes narrower.
    pub(crate) fn reflows(&self) -> bool {
        !self.truncates
    }
}

/// Makes a console of Windows interpret escape sequences, which older ones do not do by
/// default. Returns whether it does; `None` on other systems.
fn escapes_enabled() -> Option<bool> {
    #[cfg(windows)]
    return anstyle_query::windows::enable_ansi_colors();
    #[cfg(not(windows))]
    None
}

/// Returns `true` if a multiplexer or a network is between the terminal and the program.
fn is_remote(read: impl Fn(&str) -> OsString) -> bool {
    const VARIABLES: [&str; 5] = ["TMUX", "STY", "ZELLIJ", "SSH_CONNECTION", "SSH_TTY"];
    let term = read("TERM");
    let starts = |name: &str| term.as_encoded_bytes().starts_with(name.as_bytes());
    VARIABLES.into_iter().any(|name| !read(name).is_empty()) || starts("screen") || starts("tmux")
}

/// Returns `true` if the terminal interprets escape sequences. Shells on Windows do not set
/// `TERM`. If the console there does not enable `escapes`, for example because standard
/// output is a file, the terminal identifies itself by other variables.
fn is_capable(escapes: Option<bool>, read: impl Fn(&str) -> OsString) -> bool {
    const WINDOWS: [&str; 4] = ["WT_SESSION", "TERM_PROGRAM", "ANSICON", "TERM"];
    let term = read("TERM");
    let known = || WINDOWS.into_iter().any(|name| !read(name).is_empty());
    let capable = match escapes {
        Some(escapes) => escapes || known() || read("ConEmuANSI") == "ON",
        None => !term.is_empty(),
    };
    capable && term != "dumb"
}

/// Returns the value of the first locale variable that is set.
fn locale(read: impl Fn(&str) -> OsString) -> OsString {
    let mut set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().map(read);
    set.find(|value| !value.is_empty()).unwrap_or_default()
}

/// Returns `true` if the terminal is the Linux console, GNU screen or xterm itself. Other
/// terminals inherit the variables of these and set additional ones.
fn truncates(read: impl Fn(&str) -> OsString) -> bool {
    let is_set = |name| !read(name).is_empty();
    let term = read("TERM");
    let starts = |name: &str| term.as_encoded_bytes().starts_with(name.as_bytes());
    let screen = is_set("STY") && starts("screen");
    let others = ["TMUX", "TERM_PROGRAM", "VTE_VERSION"].into_iter().any(is_set);
    let xterm = is_set("XTERM_VERSION") && (term == "xterm" || starts("xterm-256")) && !others;
    screen || xterm || term == "linux"
}

/// Returns `true` if the terminal is known to support `OSC 9;4`, which others interpret
/// as a notification. Multiplexers do not support it, but inherit the variables of their
/// terminal.
fn knows_progress(read: impl Fn(&str) -> OsString) -> bool {
    const PROGRAMS: [(&str, [u32; 3]); 4] = [
        ("ghostty", [0, 0, 0]),
        ("iTerm.app", [3, 6, 6]),
        ("mintty", [3, 4, 2]),
        ("WezTerm", [0, 0, 0]),
    ];
    let is_set = |name| !read(name).is_empty();
    let is_term = |name: &str| read("TERM").as_encoded_bytes().starts_with(name.as_bytes());
    if ["TMUX", "STY", "ZELLIJ"].into_iter().any(is_set) || is_term("screen") || is_term("tmux") {
        return false;
    }
    let since = |name: &str, first: [u32; 3]| version(&read(name)) >= first;
    let program = read("TERM_PROGRAM");
    let windows = is_set("WT_SESSION") || read("ConEmuANSI") == "ON";
    PROGRAMS.iter().any(|&(name, first)| program == name && since("TERM_PROGRAM_VERSION", first))
        || since("PTYXIS_VERSION", [48, 0, 0])
        || (windows && program.is_empty())
}

/// Parses the first three numbers of a version. Missing numbers are 0.
fn version(text: &OsStr) -> [u32; 3] {
    let text = text.to_string_lossy();
    let mut parts = text.split('.').map(|part| {
        let end = part.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse().unwrap_or(0)
    });
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

/// Returns `true` if a variable with this value is turned on.
fn is_on(value: &OsStr) -> bool {
    !value.is_empty() && value != "0" && value != "false"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(terminal: bool, variables: &[(&str, &str)]) -> Environment {
        Environment::new(terminal, None, |name| {
            let found = variables.iter().find(|variable| variable.0 == name);
            found.map(|variable| variable.1.into())
        })
    }

    // Rule 22
    #[test]
    fn rows_are_live_on_a_capable_terminal_outside_ci() {
        for (terminal, variables, live) in [
            (true, &[("TERM", "xterm")][..], true),
            (false, &[("TERM", "xterm")], false),
            (true, &[("TERM", "dumb")], false),
            (true, &[("TERM", "")], false),
            (true, &[], false),
            (true, &[("TERM", "xterm"), ("CI", "true")], false),
            (true, &[("TERM", "xterm"), ("CI", "1")], false),
            (true, &[("TERM", "xterm"), ("CI", "false")], true),
            (true, &[("TERM", "xterm"), ("CI", "")], true),
            (true, &[("TERM", "xterm"), ("ACCESSIBLE", "1")], false),
            (true, &[("TERM", "xterm"), ("ACCESSIBLE", "0")], true),
            (true, &[("TERM", "xterm"), ("NO_COLOR", "1")], true),
            (false, &[("TERM", "xterm"), ("FORCE_COLOR", "1")], false),
            (false, &[("TERM", "xterm"), ("CLICOLOR_FORCE", "1")], false),
        ] {
            let is_live = environment(terminal, variables).is_live();
            assert_eq!(is_live, live, "terminal: {terminal}, {variables:?}");
        }
    }

    // Rule 22
    #[test]
    fn on_windows_rows_are_live_if_the_console_interprets_escapes() {
        for (escapes, variables, live) in [
            (true, &[][..], true),
            (true, &[("TERM", "dumb")], false),
            (true, &[("CI", "true")], false),
            (false, &[], false),
            (false, &[("WT_SESSION", "a-b-c")], true),
            (false, &[("ConEmuANSI", "ON")], true),
            (false, &[("ConEmuANSI", "OFF")], false),
            (false, &[("TERM_PROGRAM", "vscode")], true),
            (false, &[("TERM", "xterm-256color")], true),
            (false, &[("WT_SESSION", "a-b-c"), ("TERM", "dumb")], false),
            (false, &[("WT_SESSION", "a-b-c"), ("CI", "true")], false),
        ] {
            let environment = Environment::new(true, Some(escapes), |name| {
                let found = variables.iter().find(|variable| variable.0 == name);
                found.map(|variable| variable.1.into())
            });
            assert_eq!(environment.is_live(), live, "{escapes} {variables:?}");
        }
    }

    // Rule 22
    #[test]
    fn color_follows_no_color_then_force_then_the_terminal() {
        for (terminal, variables, color) in [
            (true, &[][..], true),
            (false, &[], false),
            (true, &[("NO_COLOR", "1")], false),
            (true, &[("NO_COLOR", "0")], false),
            (true, &[("NO_COLOR", "")], true),
            (false, &[("FORCE_COLOR", "1")], true),
            (false, &[("FORCE_COLOR", "3")], true),
            (false, &[("FORCE_COLOR", "0")], false),
            (false, &[("FORCE_COLOR", "")], false),
            (true, &[("FORCE_COLOR", "0")], true),
            (false, &[("CLICOLOR_FORCE", "1")], true),
            (false, &[("CLICOLOR_FORCE", "0")], false),
            (true, &[("NO_COLOR", "1"), ("FORCE_COLOR", "1")], false),
            (true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false),
            (false, &[("NO_COLOR", ""), ("FORCE_COLOR", "1")], true),
        ] {
            let has_color = environment(terminal, variables).has_color();
            assert_eq!(has_color, color, "terminal: {terminal}, {variables:?}");
        }
    }

    #[test]
    fn unicode_is_used_unless_the_locale_lacks_it() {
        for (variables, unicode) in [
            (&[][..], true),
            (&[("LANG", "en_US.UTF-8")], true),
            (&[("LANG", "C.utf8")], true),
            (&[("LANG", "C")], false),
            (&[("LANG", "POSIX")], false),
            (&[("LANG", "de_CH.ISO-8859-1")], false),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], false),
            (&[("LANG", "C"), ("LC_ALL", "en_US.UTF-8")], true),
            (&[("LANG", "C"), ("LC_CTYPE", "en_US.UTF-8")], true),
            (&[("LC_CTYPE", "C"), ("LC_ALL", "en_US.UTF-8")], true),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "")], true),
            (&[("LANG", "en_US.UTF-8"), ("TERM", "linux")], false),
            (&[("LANG", "en_US.UTF-8"), ("TERM", "xterm")], true),
        ] {
            assert_eq!(environment(true, variables).has_unicode(), unicode, "{variables:?}");
        }
    }

    #[test]
    fn progress_goes_only_to_terminals_that_understand_it() {
        for (variables, shows) in [
            (&[][..], false),
            (&[("TERM_PROGRAM", "ghostty")], true),
            (&[("TERM_PROGRAM", "WezTerm"), ("TERM_PROGRAM_VERSION", "20240203-110809")], true),
            (&[("TERM_PROGRAM", "iTerm.app"), ("TERM_PROGRAM_VERSION", "3.6.6")], true),
            (&[("TERM_PROGRAM", "iTerm.app"), ("TERM_PROGRAM_VERSION", "3.10")], true),
            (&[("TERM_PROGRAM", "iTerm.app"), ("TERM_PROGRAM_VERSION", "3.6.5")], false),
            (&[("TERM_PROGRAM", "iTerm.app"), ("TERM_PROGRAM_VERSION", "3.6.6beta1")], true),
            (&[("TERM_PROGRAM", "iTerm.app")], false),
            (&[("TERM_PROGRAM", "mintty"), ("TERM_PROGRAM_VERSION", "3.4.2")], true),
            (&[("TERM_PROGRAM", "mintty"), ("TERM_PROGRAM_VERSION", "3.4.1")], false),
            (&[("TERM_PROGRAM", "Apple_Terminal"), ("TERM_PROGRAM_VERSION", "455")], false),
            (&[("PTYXIS_VERSION", "48.0")], true),
            (&[("PTYXIS_VERSION", "47.9")], false),
            (&[("WT_SESSION", "a-b-c")], true),
            (&[("ConEmuANSI", "ON")], true),
            (&[("ConEmuANSI", "OFF")], false),
            (&[("WT_SESSION", "a-b-c"), ("TERM_PROGRAM", "vscode")], false),
            (&[("TERM", "xterm-kitty")], false),
            (&[("TERM_PROGRAM", "ghostty"), ("TMUX", "x")], false),
            (&[("TERM_PROGRAM", "ghostty"), ("STY", "1.pts-0")], false),
            (&[("TERM_PROGRAM", "ghostty"), ("ZELLIJ", "0")], false),
            (&[("WT_SESSION", "a-b-c"), ("TERM", "screen-256color")], false),
            (&[("WT_SESSION", "a-b-c"), ("TERM", "tmux-256color")], false),
        ] {
            assert_eq!(environment(true, variables).shows_progress(), shows, "{variables:?}");
            assert!(!environment(false, variables).shows_progress());
        }
    }

    #[test]
    fn multiplexers_and_networks_report_the_size_late() {
        for (variables, late) in [
            (&[("TERM", "xterm-256color")][..], false),
            (&[("TERM", "xterm-256color"), ("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")], true),
            (&[("TERM", "xterm-256color"), ("SSH_TTY", "/dev/pts/1")], true),
            (&[("TERM", "xterm-256color"), ("TMUX", "x")], true),
            (&[("TERM", "xterm-256color"), ("ZELLIJ", "0")], true),
            (&[("TERM", "vt100"), ("STY", "1.pts-0")], true),
            (&[("TERM", "tmux-256color")], true),
            (&[("TERM", "screen.xterm")], true),
        ] {
            assert_eq!(environment(true, variables).reports_late(), late, "{variables:?}");
        }
    }

    #[test]
    fn rows_reflow_unless_the_terminal_truncates_them() {
        for (variables, reflows) in [
            (&[("TERM", "xterm-256color")][..], true),
            (&[("TERM", "linux")], false),
            (&[("TERM", "xterm"), ("XTERM_VERSION", "XTerm(390)")], false),
            (&[("TERM", "xterm-256color"), ("XTERM_VERSION", "XTerm(390)")], false),
            (&[("TERM", "xterm-kitty"), ("XTERM_VERSION", "XTerm(390)")], true),
            (&[("TERM", "screen-256color"), ("TMUX", "x")], true),
            (&[("TERM", "tmux-256color"), ("TMUX", "x"), ("XTERM_VERSION", "x")], true),
            (&[("TERM", "xterm"), ("XTERM_VERSION", "x"), ("VTE_VERSION", "7600")], true),
            (&[("TERM", "xterm"), ("XTERM_VERSION", "x"), ("TERM_PROGRAM", "vscode")], true),
            (&[("TERM", "screen"), ("STY", "1.pts-0")], false),
            (&[("TERM", "screen.xterm-256color"), ("STY", "1.pts-0")], false),
            (&[("TERM", "xterm-256color"), ("STY", "1.pts-0"), ("VTE_VERSION", "1")], true),
            (&[("TERM", "tmux-256color"), ("STY", "1.pts-0"), ("TMUX", "x")], true),
        ] {
            assert_eq!(environment(true, variables).reflows(), reflows, "{variables:?}");
        }
    }
}
