//! A server that answers as it is told: for what the real one does not do.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;

/// A status, header lines and a body.
pub(super) type Answer = (u16, &'static str, &'static str);

pub(super) struct Scripted {
    pub(super) storage: S3Storage,
    requests: UnboundedReceiver<String>,
}

impl Scripted {
    /// A store whose server gives these answers, one after the other.
    pub(super) async fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = unbounded_channel();
        let answers: Vec<_> = answers.into_iter().collect();
        tokio::spawn(async move {
            for (status, headers, body) in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                sender.send(read_request(&mut socket).await).unwrap();
                let length = body.len();
                let head = format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n");
                socket.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
            }
        });
        let options = S3Options { endpoint_url: Some(url), ..options() };
        Self { storage: S3Storage::connect(options).await.unwrap(), requests }
    }

    /// The next request that the server got: its head in lower case, and its body.
    pub(super) async fn request(&mut self) -> String {
        self.requests.recv().await.unwrap()
    }
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let length = socket.read(&mut buffer).await.unwrap();
        assert_ne!(length, 0, "the request broke off");
        request.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let announced = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= announced.map_or(0, |length| length.parse().unwrap()) {
            return format!("{head}\r\n\r\n{body}");
        }
    }
}
