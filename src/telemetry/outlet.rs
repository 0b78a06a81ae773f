//! The way of log lines out of the process: into a buffer of bounded size, which a thread of its own writes out.
//!
//! Who logs copies a line and goes on. When what reads the log is slow, gone or out of room, lines are lost and counted;
//! nobody who logs ever waits for it or learns of it. (`tracing-appender` does not fit: it bounds lines and not bytes,
//! does not count those that could not be written, and at the end prints to standard output, which may be closed.)

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::fmt::MakeWriter;

/// What may wait to be written: some thousand lines.
const CAPACITY: usize = 1024 * 1024;
/// So long lines are gathered before they are written together: waking the thread for each costs more than the line.
const PAUSE: Duration = Duration::from_millis(2);

/// Takes lines. Clones lead to the same place.
#[derive(Clone)]
pub struct Outlet(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    emptied: Condvar,
    capacity: usize,
    dropped: Counter,
}

#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    /// Whether the thread is writing what it took before.
    writing: bool,
}

impl Outlet {
    /// The way to `sink`.
    pub(super) fn to(sink: impl Write + Send + 'static) -> Self {
        Self::with_capacity(CAPACITY, sink)
    }

    fn with_capacity(capacity: usize, sink: impl Write + Send + 'static) -> Self {
        let shared = Shared {
            waiting: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            capacity,
            dropped: Counter::default(),
        };
        let outlet = Self(Arc::new(shared));
        let shared = Arc::clone(&outlet.0);
        // Without the thread all lines are dropped, and counted; so poor a machine has worse to complain of.
        let _ = thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_all(sink));
        outlet
    }

    /// Waits until what was logged is written, but not longer than `patience`.
    pub fn flush(&self, patience: Duration) {
        let mut waiting = self.0.waiting.lock();
        let is_left = |waiting: &mut Waiting| waiting.writing || !waiting.text.is_empty();
        let _ = self.0.emptied.wait_while_for(&mut waiting, is_left, patience);
    }

    /// Counts the lines that were lost.
    pub(super) fn dropped(&self) -> &Counter {
        &self.0.dropped
    }

    fn push(&self, line: &[u8]) {
        let mut waiting = self.0.waiting.lock();
        if waiting.text.len() + line.len() > self.0.capacity {
            self.0.dropped.inc();
            return;
        }
        waiting.text.extend_from_slice(line);
        drop(waiting);
        self.0.filled.notify_one();
    }
}

impl Shared {
    fn write_all(&self, mut sink: impl Write) {
        let mut text = Vec::new();
        let (mut lost, mut torn) = (0, false);
        loop {
            self.take(&mut text);
            if torn {
                // What is written next would else look like the end of the line that was cut off.
                torn = !write(&mut sink, b"\n").is_empty();
            }
            let rest = if torn { text.as_slice() } else { write(&mut sink, &text) };
            let lines = rest.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.dropped.inc_by(lines);
            lost += lines;
            torn |= rest.len() < text.len() && !text[..text.len() - rest.len()].ends_with(b"\n");
            let written = rest.is_empty();
            if written && lost > 0 {
                tracing::warn!(lines = lost, "lines of the log could not be written");
                lost = 0;
            }
            thread::sleep(PAUSE);
        }
    }

    /// Waits for lines and takes all that are there.
    fn take(&self, text: &mut Vec<u8>) {
        text.clear();
        let mut waiting = self.waiting.lock();
        waiting.writing = false;
        while waiting.text.is_empty() {
            self.emptied.notify_all();
            self.filled.wait(&mut waiting);
        }
        std::mem::swap(&mut waiting.text, text);
        waiting.writing = true;
    }
}

/// Writes as much of `text` as can be written, and returns the rest.
fn write<'t>(sink: &mut impl Write, mut text: &'t [u8]) -> &'t [u8] {
    while !text.is_empty() {
        match sink.write(text) {
            Ok(0) => break,
            Ok(length) => text = &text[length..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Somebody made the pipe non-blocking; this thread has time.
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(_) => break,
        }
    }
    text
}

impl Write for &Outlet {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Outlet {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Takes a write when the test says how it ends: with an error, or after so many bytes.
    struct Sink {
        outcomes: mpsc::Receiver<io::Result<usize>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Sink {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let length = self.outcomes.recv().unwrap_or(Ok(usize::MAX))?.min(text.len());
            self.written.lock().extend_from_slice(&text[..length]);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Subject {
        outlet: Outlet,
        outcomes: mpsc::Sender<io::Result<usize>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Subject {
        fn new(capacity: usize) -> Self {
            let (outcomes, receiver) = mpsc::channel();
            let written = Arc::<Mutex<Vec<u8>>>::default();
            let sink = Sink { outcomes: receiver, written: Arc::clone(&written) };
            Self { outlet: Outlet::with_capacity(capacity, sink), outcomes, written }
        }

        fn log(&self, line: &str) {
            (&self.outlet).write_all(line.as_bytes()).unwrap();
        }

        /// Lets every write from now on succeed.
        fn unblock(self) -> (Outlet, Arc<Mutex<Vec<u8>>>) {
            (self.outlet, self.written)
        }
    }

    fn text(written: &Mutex<Vec<u8>>) -> String {
        String::from_utf8(written.lock().clone()).unwrap()
    }

    #[test]
    fn lines_come_out_whole_and_in_order() {
        let (outlet, written) = Subject::new(1_000_000).unblock();
        let expected: String = (0..5000).map(|n| format!("line {n}\n")).collect();
        for line in expected.split_inclusive('\n') {
            (&outlet).write_all(line.as_bytes()).unwrap();
        }
        outlet.flush(LONG);
        assert_eq!(text(&written), expected);
        assert_eq!(outlet.dropped().get(), 0);
    }

    #[test]
    fn who_logs_never_waits_for_a_sink_that_hangs() {
        let subject = Subject::new(100);
        for _ in 0..1000 {
            subject.log("ten bytes\n");
        }
        subject.outlet.flush(Duration::from_millis(1));
        // At most two buffers are full: one that hangs in the sink and one behind it.
        let dropped = subject.outlet.dropped().get();
        assert!((980..=990).contains(&dropped), "{dropped}");
        let (outlet, written) = subject.unblock();
        outlet.flush(LONG);
        assert_eq!(written.lock().len() as u64, (1000 - dropped) * 10);
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_the_next_line_begins_anew() {
        let subject = Subject::new(1000);
        subject.outcomes.send(Ok(4)).unwrap();
        subject.outcomes.send(Err(ErrorKind::StorageFull.into())).unwrap();
        subject.log("torn off\nlost\n");
        let dropped = || subject.outlet.dropped().get();
        let begun = std::time::Instant::now();
        while dropped() < 2 && begun.elapsed() < LONG {
            thread::yield_now();
        }
        assert_eq!(dropped(), 2);
        subject.log("after it\n");
        let (outlet, written) = subject.unblock();
        outlet.flush(LONG);
        assert_eq!(text(&written), "torn\nafter it\n");
    }
}
