//! What the program says to who started it. A terminal that is closed or a disk that is full is no reason to panic, as
//! `println!` and `eprintln!` would.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// Prints a line to standard output, like `println!`.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::terminal::print(format_args!($($text)*)) };
}
pub(super) use say;

/// Prints a line to standard error, like `eprintln!`.
macro_rules! complain {
    ($($text:tt)*) => { $crate::cli::terminal::print_error(format_args!($($text)*)) };
}
pub(super) use complain;

/// Prints what was asked for: it fails when that cannot be printed.
pub(super) fn answer(text: impl fmt::Display) -> ExitCode {
    if line(&mut io::stdout(), format_args!("{text}")).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints a line beside the service: a reader that does not read keeps nobody waiting.
pub(super) fn announce(text: String) {
    // A line that cannot be printed is of no more use than one that nobody sees.
    let _ = std::thread::Builder::new().name("banner".to_owned()).spawn(move || print(format_args!("{text}")));
}

pub(super) fn print(text: fmt::Arguments<'_>) {
    // Nobody is there to be told.
    let _ = line(&mut io::stdout(), text);
}

pub(super) fn print_error(text: fmt::Arguments<'_>) {
    let _ = line(&mut io::stderr(), text);
}

fn line(output: &mut impl Write, text: fmt::Arguments<'_>) -> io::Result<()> {
    // In one write, so that lines of others do not come in between.
    output.write_all(format!("{text}\n").as_bytes())?;
    output.flush()
}
