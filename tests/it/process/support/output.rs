//! What a process prints, as it prints it.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::DEADLINE;

/// One output of a process. A thread reads it, so the process never waits for a reader.
#[derive(Clone)]
pub(crate) struct Output(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    text: String,
    closed: bool,
}

impl Output {
    pub(super) fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let output = Self(Arc::default());
        let reader = output.clone();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            loop {
                let read = pipe.read(&mut chunk).unwrap_or(0);
                let (state, changed) = &*reader.0;
                let mut state = state.lock().unwrap();
                state.text.push_str(&String::from_utf8_lossy(&chunk[..read]));
                state.closed = read == 0;
                changed.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        output
    }

    /// All of it so far.
    pub(crate) fn text(&self) -> String {
        self.0.0.lock().unwrap().text.clone()
    }

    /// Blocks until `found` finds something in it.
    pub(crate) fn wait_for<T>(&self, what: &str, mut found: impl FnMut(&str) -> Option<T>) -> Result<T, String> {
        let mut result = None;
        let text = self.wait(|state| {
            result = found(&state.text);
            result.is_some() || state.closed
        });
        result.ok_or_else(|| format!("{what} was not printed:\n{text}"))
    }

    /// Blocks until the process has closed it, and returns all of it.
    pub(super) fn wait_to_end(&self) -> String {
        self.wait(|state| state.closed)
    }

    fn wait(&self, mut done: impl FnMut(&State) -> bool) -> String {
        let (state, changed) = &*self.0;
        let state = state.lock().unwrap();
        let (state, waited) = changed.wait_timeout_while(state, DEADLINE, |state| !done(state)).unwrap();
        assert!(!waited.timed_out(), "the process neither printed what was awaited nor ended:\n{}", state.text);
        state.text.clone()
    }
}
