//! Keys of tokens that an identity provider serves and changes.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::signature::Ed25519KeyPair;
use axum::Router;
use axum::routing::get;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::support::{Client, Server, Setup, eventually};

/// A key of the identity provider.
struct Key {
    name: &'static str,
    private: EncodingKey,
}

impl Key {
    fn new(name: &'static str) -> Self {
        let private = Ed25519KeyPair::generate_pkcs8v1(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
        Self { name, private: EncodingKey::from_ed_der(private.as_ref()) }
    }

    /// A token for the user alice, valid until 2100.
    fn token(&self) -> String {
        let header = Header { kid: Some(self.name.to_owned()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &json!({"sub": "alice", "exp": 4_102_444_800_u64}), &self.private).unwrap()
    }

    fn client(&self, server: &Server) -> Client {
        Client::new(server.address, &self.token())
    }

    fn jwk(&self) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.private, Algorithm::EdDSA).unwrap()).unwrap();
        jwk["kid"] = json!(self.name);
        jwk
    }
}

/// The part of an identity provider that serves its keys.
#[derive(Clone, Default)]
struct Issuer(Arc<Mutex<Vec<Value>>>);

impl Issuer {
    fn serve(&self, listener: TcpListener) {
        let keys = self.clone();
        let route = get(|| async move { axum::Json(json!({"keys": *keys.0.lock()})) });
        tokio::spawn(async { axum::serve(listener, Router::new().route("/jwks", route)).await });
    }

    fn publish(&self, keys: &[&Key]) {
        *self.0.lock() = keys.iter().map(|key| key.jwk()).collect();
    }
}

fn trusting(issuer: SocketAddr) -> Setup {
    Setup::new().with("AUTH_JWKS_URL", &format!("http://{issuer}/jwks"))
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_from_the_issuer_and_change_there() {
    let (first, second, stranger) = (Key::new("first"), Key::new("second"), Key::new("first"));
    let issuer = Issuer::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let setup = trusting(listener.local_addr().unwrap());
    issuer.serve(listener);
    issuer.publish(&[&first]);
    // Keys are configured, so it may listen for others.
    let server = setup.with("ARTIFACTD_BIND", "0.0.0.0:0").start();

    let id = first.client(&server).stored("stored with the first key").await;
    stranger.client(&server).get("/v1/whoami").await.expect_problem(401, "unauthenticated");

    issuer.publish(&[&second]);
    assert_eq!(second.client(&server).content(&id).await, "stored with the first key");
    first.client(&server).get("/v1/whoami").await.expect_problem(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_away_at_first_is_waited_for() {
    let key = Key::new("only");
    let issuer = Issuer::default();
    issuer.publish(&[&key]);
    // Bound but not served yet: nobody else gets the port.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = trusting(listener.local_addr().unwrap()).start();
    let client = key.client(&server);

    let away = std::thread::spawn(move || {
        // The first fetch is hung up on.
        drop(listener.accept().unwrap());
        listener
    });
    let refused = client.get("/v1/whoami").await.expect_problem(503, "provider_unavailable");
    assert!(refused.headers.contains_key("retry-after"));
    client.get("/healthz").await.expect(200);

    let listener = away.join().unwrap();
    listener.set_nonblocking(true).unwrap();
    issuer.serve(TcpListener::from_std(listener).unwrap());
    eventually("the key is known", async || (client.get("/v1/whoami").await.status == 200).then_some(())).await;
}
