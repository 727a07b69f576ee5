//! What anybody prints comes out above the board, whole and in order: this
//! program, a process it starts, a thread that panics. Then the same goes to
//! files.
//!
//! ```sh
//! cargo run --features capture --example capture
//! ```
//!
//! It needs a Unix system. Where standard error is no terminal there is nothing to
//! capture, so the lines go where they would.

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    captured()?;
    redirected()
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
#[expect(clippy::print_stdout, reason = "this is what is captured")]
fn captured() -> std::io::Result<()> {
    use std::process::Command;
    use std::thread;

    use active_status::Console;

    let board = Console::auto().open();
    let capture = board.capture()?;

    let build = board.add_job("build: ");
    build.set_text("running a process");
    println!("println! of this program");
    Command::new("sh")
        .args(["-c", "echo a process, to stdout; echo and to stderr >&2"])
        .status()?;
    build.finish();

    let parse = board.add_job("parse: ");
    let thread = thread::Builder::new().name("parser".into()).spawn(move || {
        parse.set_text("the manual");
        panic!("a chapter without a heading");
    })?;
    assert!(thread.join().is_err());
    println!("println! after the panic");

    // All that was printed is on the board now.
    drop(capture);
    board.shutdown();
    Ok(())
}

#[cfg(unix)]
#[expect(clippy::print_stdout, reason = "this is what is redirected, and the result")]
fn redirected() -> std::io::Result<()> {
    use std::process::Command;
    use std::{env, fs, process};

    use active_status::with_output_redirected;

    let folder = env::temp_dir().join(format!("active-status-{}", process::id()));
    let base = folder.join("build");
    with_output_redirected(&base, || {
        println!("println! of this program");
        Command::new("sh").args(["-c", "echo a process; echo its complaint >&2"]).status()
    })??;
    for end in ["out", "err"] {
        let text = fs::read_to_string(base.with_extension(end))?;
        println!("build.{end}: {}", text.trim_end().replace('\n', ", "));
    }
    fs::remove_dir_all(folder)
}
