//! A proxy that lets a connection hang, or crawl, on its way to a server.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

const CHUNK: usize = 16 * 1024;

/// Takes connections for a server. Threads carry the bytes, as tests block their runtime.
pub(crate) struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
}

#[derive(Default)]
struct Line {
    hangs: Mutex<bool>,
    changed: Condvar,
    /// 0: as fast as it goes.
    bytes_per_second: AtomicU64,
}

impl Proxy {
    /// Takes connections for the server at `target`, such as `127.0.0.1:3900`.
    pub(crate) fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (line, target) = (Arc::<Line>::default(), target.to_owned());
        let carrier = Arc::clone(&line);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&target)) else { continue };
                let copies = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (there, back) = (Arc::clone(&carrier), Arc::clone(&carrier));
                thread::spawn(move || there.carry(client, server));
                thread::spawn(move || back.carry(copies.1, copies.0));
            }
        });
        Self { address, line }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on connections are taken, and nothing comes through.
    pub(crate) fn hang(&self) {
        self.line.set(true);
    }

    /// What was sent meanwhile comes through, too.
    pub(crate) fn go_on(&self) {
        self.line.set(false);
    }

    /// Lets so many bytes through per second, on each connection and in each direction.
    pub(crate) fn crawl(&self, bytes_per_second: u64) {
        self.line.bytes_per_second.store(bytes_per_second, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.go_on();
    }
}

impl Line {
    fn set(&self, hangs: bool) {
        *self.hangs.lock().unwrap() = hangs;
        self.changed.notify_all();
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut chunk = [0; CHUNK];
        while let Ok(length @ 1..) = from.read(&mut chunk) {
            drop(self.changed.wait_while(self.hangs.lock().unwrap(), |hangs| *hangs));
            if let Some(pace) = self.pace(length) {
                thread::sleep(pace);
            }
            if to.write_all(&chunk[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }

    fn pace(&self, length: usize) -> Option<Duration> {
        let rate = self.bytes_per_second.load(Ordering::Relaxed);
        (rate > 0).then(|| Duration::from_secs_f64(length as f64 / rate as f64))
    }
}
