//! What was answered is there after a crash: of the service, and of its Redis.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::http::Method;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::support::{Answer, Client, Pair, PrivateRedis, S3, Setup, bytes, eventually, sha256};

const CLIENTS: usize = 8;
const SIZES: [usize; 6] = [0, 1, 1_000, 64 * 1024, 256 * 1024, 300 * 1024];

/// What an artifact may be: the digest and length of its bytes, or nothing when it was deleted.
type State = Option<(String, usize)>;

/// Clients that store, replace and delete, and what they were answered.
#[derive(Default)]
struct Load {
    /// One state for what was answered, two while a change has no answer.
    possible: Mutex<HashMap<String, Vec<State>>>,
    answers: watch::Sender<usize>,
    seeds: AtomicU64,
    stop: AtomicBool,
}

impl Load {
    /// Lets clients work until the service is gone or `stop` is set.
    fn start(self: &Arc<Self>, client: &Client) -> JoinSet<()> {
        let run = |client: Client, load: Arc<Self>| async move { while load.step(&client).await.is_some() {} };
        (0..CLIENTS).map(|_| run(client.clone(), Arc::clone(self))).collect()
    }

    /// Blocks until so many further answers have come.
    async fn further(&self, answers: usize) {
        let mut counted = self.answers.subscribe();
        let target = *counted.borrow() + answers;
        counted.wait_for(|count| *count >= target).await.unwrap();
    }

    /// Stores an artifact and then replaces it, deletes it or leaves it; `None` when there was no answer.
    async fn step(&self, client: &Client) -> Option<()> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        let (seed, body, state) = self.body();
        let Some(stored) = self.ask(client, Method::POST, "/v1/artifacts?scope=user", body, 201).await? else {
            return Some(());
        };
        let id = stored.id();
        assert_eq!(stored.json()["sha256"], state.as_ref().unwrap().0);
        let known = self.possible.lock().insert(id.clone(), vec![state]);
        assert_eq!(known, None, "{id} was answered twice");
        match seed % 3 {
            0 => Some(()),
            1 => {
                let (_, body, state) = self.body();
                self.change(client, Method::PUT, &id, "/content", body, 200, state).await
            }
            _ => self.change(client, Method::DELETE, &id, "", Vec::new(), 204, None).await,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a request, and what it leads to")]
    async fn change(
        &self,
        client: &Client,
        method: Method,
        id: &str,
        path: &str,
        body: Vec<u8>,
        status: u16,
        state: State,
    ) -> Option<()> {
        self.possible.lock().get_mut(id).unwrap().push(state.clone());
        let path = format!("/v1/artifacts/{id}{path}");
        if self.ask(client, method, &path, body, status).await?.is_some() {
            self.possible.lock().insert(id.to_owned(), vec![state]);
        }
        Some(())
    }

    /// The answer if it is the hoped for one, `Some(None)` if a provider was away, `None` without one.
    async fn ask(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        body: Vec<u8>,
        status: u16,
    ) -> Option<Option<Answer>> {
        let answer = client.try_send(method, path, body).await.ok()?;
        if answer.status == 503 {
            answer.expect_problem(503, "provider_unavailable");
            return Some(None);
        }
        let answer = answer.expect(status);
        self.answers.send_modify(|count| *count += 1);
        Some(Some(answer))
    }

    fn body(&self) -> (u64, Vec<u8>, State) {
        let seed = self.seeds.fetch_add(1, Ordering::Relaxed);
        let body = bytes(seed, SIZES[seed as usize % SIZES.len()]);
        let state = (sha256(&body), body.len());
        (seed, body, Some(state))
    }

    /// Compares all that was answered with what is there, which from now on is certain.
    async fn verify(&self, client: &Client) {
        let possible = std::mem::take(&mut *self.possible.lock());
        assert!(!possible.is_empty());
        for (id, states) in possible {
            let record = client.get(&format!("/v1/artifacts/{id}")).await;
            let found = if record.status == 404 {
                record.expect_problem(404, "artifact_not_found");
                client.get(&format!("/v1/artifacts/{id}/content")).await.expect(404);
                None
            } else {
                let content = client.content(&id).await;
                Some((sha256(&content), content.len()))
            };
            assert!(states.contains(&found), "{id} is {found:?}, but was answered to be {states:?}");
            self.possible.lock().insert(id, vec![found]);
        }
    }
}

async fn what_was_answered_survives_the_service(pair: Pair) {
    let setup = Setup::on(pair);
    let load = Arc::new(Load::default());
    for _ in 0..4 {
        let mut server = setup.start();
        let clients = load.start(&server.client(&setup));
        load.further(50).await;
        server.process.kill();
        clients.join_all().await;

        let server = setup.start();
        load.verify(&server.client(&setup)).await;
        server.terminate();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_the_service_on_filesystem_and_sqlite() {
    what_was_answered_survives_the_service(Pair::FilesystemSqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_the_service_on_sqlite_and_sqlite() {
    what_was_answered_survives_the_service(Pair::SqliteSqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_the_service_on_s3_and_redis() {
    what_was_answered_survives_the_service(Pair::S3Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_redis_and_the_service_recovers_by_itself() {
    let mut redis = PrivateRedis::start();
    let setup = Setup::new().on_s3(&S3::from_environment()).on_redis(&redis.url());
    let server = setup.start();
    let client = server.client(&setup);
    let load = Arc::new(Load::default());
    let clients = load.start(&client);

    load.further(50).await;
    redis.kill();
    client.store("while Redis is away").await.expect_problem(503, "provider_unavailable");
    client.get("/readyz").await.expect_problem(503, "provider_unavailable");
    client.get("/healthz").await.expect(200);

    redis.restart();
    eventually("the service is ready", async || (client.get("/readyz").await.status == 200).then_some(())).await;
    load.further(50).await;
    load.stop.store(true, Ordering::Relaxed);
    clients.join_all().await;
    load.verify(&client).await;
    server.terminate();
}
