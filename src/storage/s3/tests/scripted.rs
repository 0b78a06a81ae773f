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
        Self::with(options(), answers).await
    }

    /// The same with options of the test's own.
    pub(super) async fn with(options: S3Options, answers: impl IntoIterator<Item = Answer>) -> Self {
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
        let options = S3Options { endpoint_url: Some(url), ..options };
        Self { storage: S3Storage::connect(options).await.unwrap(), requests }
    }

    /// The next request that the server got: its head in lower case, and its body.
    pub(super) async fn request(&mut self) -> String {
        self.requests.recv().await.unwrap()
    }
}

async fn read_request(socket: &mut TcpStream) -> String {
    let (mut request, mut whole) = (Vec::new(), None);
    while whole.is_none_or(|whole| request.len() < whole) {
        let mut buffer = [0; 64 * 1024];
        let length = socket.read(&mut buffer).await.unwrap();
        assert_ne!(length, 0, "the request broke off");
        request.extend_from_slice(&buffer[..length]);
        if whole.is_none() {
            whole = whole_length(&String::from_utf8_lossy(&request));
        }
    }
    let text = String::from_utf8_lossy(&request);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    format!("{}\r\n\r\n{body}", head.to_lowercase())
}

/// How long a request is, once its head has come.
fn whole_length(text: &str) -> Option<usize> {
    let (head, _) = text.split_once("\r\n\r\n")?;
    let head_length = head.len() + 4;
    let head = head.to_lowercase();
    let announced = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    Some(head_length + announced.map_or(0, |length| length.parse::<usize>().unwrap()))
}
