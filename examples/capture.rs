//! Everything that is printed appears above the board, whole and in order: by this
//! program, by a child process, by a thread that panics. Then the same output goes to
//! files.
//!
//! ```sh
//! cargo run --features capture --example capture
//! ```
//!
//! The example needs a Unix system. If standard error is not a terminal, nothing is
//! captured.

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    captured()?;
    redirected()
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
#[expect(clippy::print_stdout, reason = "the example captures it")]
fn captured() -> std::io::Result<()> {
    use std::process::Command;
    use std::thread;

    use active_status::Console;
    use active_status::capture::Capture;

    let board = Console::auto().open();
    let capture = Capture::start(&board)?;

    let build = board.add_job("build: ");
    build.set_text("running a child process");
    println!("println! of this program");
    Command::new("sh")
        .args(["-c", "echo a child process on stdout; echo and on stderr >&2"])
        .status()?;
    build.finish();

    let parse = board.add_job("parse: ");
    let thread = thread::Builder::new().name("parser".into()).spawn(move || {
        parse.set_text("the manual");
        panic!("a chapter without a heading");
    })?;
    assert!(thread.join().is_err());
    println!("println! after the panic");

    // The board has all of the output now.
    drop(capture);
    board.shutdown();
    Ok(())
}

#[cfg(unix)]
#[expect(clippy::print_stdout, reason = "the example redirects it, and prints the result")]
fn redirected() -> std::io::Result<()> {
    use std::process::Command;
    use std::{env, fs, process};

    use active_status::capture::with_output_redirected;

    let folder = env::temp_dir().join(format!("active-status-{}", process::id()));
    let base = folder.join("build");
    with_output_redirected(&base, || {
        println!("println! of this program");
        Command::new("sh").args(["-c", "echo a child process; echo an error >&2"]).status()
    })??;
    for end in ["out", "err"] {
        let text = fs::read_to_string(base.with_extension(end))?;
        println!("build.{end}: {}", text.trim_end().replace('\n', ", "));
    }
    fs::remove_dir_all(folder)
}
