//! A running program.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use super::Setup;
use super::client::Client;
use super::output::Output;

/// A process that is killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

/// How a process ended. `code` is absent when a signal ended it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    pub(super) fn spawn(command: Command) -> Self {
        Self::spawn_printing_to(command, Stdio::piped(), Stdio::piped())
    }

    /// What it prints to anything but a pipe of ours is not seen.
    pub(super) fn spawn_printing_to(mut command: Command, stdout: Stdio, stderr: Stdio) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn().unwrap();
        // Ours are those that the child does not have any more.
        drop(command);
        let stdout = child.stdout.take().map_or_else(|| Output::of(std::io::empty()), Output::of);
        let stderr = child.stderr.take().map_or_else(|| Output::of(std::io::empty()), Output::of);
        Self { child, stdout, stderr }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends the signal of this name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Kills it as a crash would: it can do nothing about it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Blocks until it ends by itself.
    pub(crate) fn wait(mut self) -> Ended {
        let (stdout, stderr) = (self.stdout.wait_to_end(), self.stderr.wait_to_end());
        Ended { code: self.child.wait().unwrap().code(), stdout, stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The service, listening.
pub(crate) struct Server {
    pub(crate) process: Process,
    /// Where clients on this machine find it.
    pub(crate) address: SocketAddr,
    _folder: Arc<TempDir>,
}

impl Server {
    /// Blocks until the service says where it listens.
    pub(super) fn listening(process: Process, folder: Arc<TempDir>) -> Self {
        let address = process.stdout.wait_for("the address", |text| {
            let (line, _) = text.split_once('\n')?;
            line.split_once(" listens on ")?.1.parse::<SocketAddr>().ok()
        });
        let mut address = address.unwrap_or_else(|problem| panic!("{problem}{}", process.stderr.text()));
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        Self { process, address, _folder: folder }
    }

    /// A client with a token for the user alice.
    pub(crate) fn client(&self, setup: &Setup) -> Client {
        Client::new(self.address, &setup.token(&["--user", "alice"]))
    }

    /// Blocks until the signal has been received.
    pub(crate) fn stop(&self, signal: &str) {
        self.process.signal(signal);
        let said = |text: &str| text.contains("stopping: running requests may finish").then_some(());
        self.process.stderr.wait_for("that it stops", said).unwrap();
    }

    /// Stops it with SIGTERM, as an operator does, and expects it to end well.
    pub(crate) fn terminate(self) {
        self.process.signal("TERM");
        let ended = self.process.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}
