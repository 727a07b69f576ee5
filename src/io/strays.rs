//! Output of other code on the terminal, such as that of a `println!`.
//!
//! Linux reports writes to a terminal to a watch of inotify, whichever process makes them.
//! The reports say nothing about the text, and the watch reads nothing from the terminal.

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use watch::Strays;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod watch {
    use std::os::fd::{AsFd, AsRawFd, OwnedFd};

    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    use rustix::io::read;

    /// A watch of the writes to a terminal.
    #[derive(Debug)]
    pub(crate) struct Strays(OwnedFd);

    impl Strays {
        /// Returns `None` if the system permits no watch, for example because the terminal
        /// belongs to another user.
        pub(crate) fn watch(terminal: &impl AsFd) -> Option<Self> {
            let watch = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
            let path = format!("/proc/self/fd/{}", terminal.as_fd().as_raw_fd());
            add_watch(&watch, path, WatchFlags::MODIFY).ok()?;
            Some(Self(watch))
        }

        /// Returns whether anything was written since the last call.
        pub(crate) fn take(&self) -> bool {
            let mut any = false;
            let mut reports = [0; 1_024];
            while read(&self.0, &mut reports).is_ok_and(|bytes| bytes > 0) {
                any = true;
            }
            any
        }
    }
}

/// Systems without such reports.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[derive(Debug)]
pub(crate) enum Strays {}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Strays {
    pub(crate) fn watch<T>(_: &T) -> Option<Self> {
        None
    }

    pub(crate) fn take(&self) -> bool {
        match *self {}
    }
}

/// Creates a terminal. Returns its two sides.
#[cfg(all(test, target_os = "linux"))]
pub(crate) fn terminal() -> (std::os::fd::OwnedFd, std::fs::File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&keys).expect("its other side");
    unlockpt(&keys).expect("its other side unlocked");
    let name = ptsname(&keys, Vec::new()).expect("its name").into_string().expect("UTF-8");
    let terminal = std::fs::File::options().write(true).read(true).open(name);
    (keys, terminal.expect("a terminal"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::{Strays, terminal};

    #[test]
    fn writes_to_a_terminal_are_noticed_and_typed_keys_are_not() {
        let (keys, mut terminal) = terminal();
        let strays = Strays::watch(&terminal).expect("a watch");
        assert!(!strays.take());
        terminal.write_all(b"one\n").expect("a terminal");
        terminal.write_all(b"two\n").expect("a terminal");
        assert!(strays.take());
        assert!(!strays.take());
        File::from(keys).write_all(b"typed\n").expect("a terminal");
        assert!(!strays.take());
    }
}
