//! A board as lines of a log. `Console::auto` writes them if standard error is not a
//! terminal; here the log goes into a pipe.
//!
//! ```sh
//! cargo run --example plain_log
//! ```

use std::io::{self, Read, Write};

use active_status::Console;

fn main() -> io::Result<()> {
    let (mut log, output) = io::pipe()?;
    let board = Console::plain().output(output).open();

    let copy = board.add_job("copy: ");
    copy.start_progress(2);
    copy.set_text("notes.txt");
    copy.tick_by(2);
    copy.finish();
    board.println("a printed line");
    board.add_job("upload: ").fail("no route to host");
    board.shutdown();

    let mut text = String::new();
    log.read_to_string(&mut text)?;
    io::stdout().write_all(text.as_bytes())?;
    assert!(text.contains("copy: notes.txt 100% - 2/2 (finished"));
    assert!(text.contains("\na printed line\nupload: (failed"));
    assert!(text.contains(": no route to host\n1 done, 1 failed in "));
    Ok(())
}
