//! What happens to connections, and how many commands go over them.

use futures::StreamExt as _;

use super::*;

/// The commands, as `MONITOR` shows them, that a store sends while `work` is done.
pub(super) async fn commands_of(store: &RedisMetadata, work: impl Future<Output = ()>) -> Vec<String> {
    let url = std::env::var("ARTIFACTD_TEST_REDIS_URL").unwrap();
    let client = deadpool_redis::redis::Client::open(url).unwrap();
    let mut monitor = client.get_async_monitor().await.unwrap();
    work.await;
    let end = format!("{}:end", store.keys.prefix());
    let _: String = send(store, cmd("ECHO").arg(&end)).await;

    // `time [database client] "command" "argument" …`. Other tests have other clients.
    let lines = monitor.on_message::<String>().take_while(|line| std::future::ready(!line.contains(&end)));
    let lines: Vec<String> = lines.collect().await;
    let client = |line: &str| line.split(['[', ']']).nth(1).unwrap().to_owned();
    let mine = |line: &&String| line.contains(store.keys.prefix()) && !line.contains(" lua] ");
    let clients: Vec<String> = lines.iter().filter(mine).map(|line| client(line)).collect();
    lines.into_iter().filter(|line| clients.contains(&client(line))).collect()
}

async fn client_of(store: &RedisMetadata) -> i64 {
    send(store, cmd("CLIENT").arg("ID")).await
}

/// Has the server close the only connection of a store.
async fn break_connection(store: &RedisMetadata) -> i64 {
    let client = client_of(store).await;
    assert_eq!(send::<i64>(&redis_store(), cmd("CLIENT").arg("KILL").arg("ID").arg(client)).await, 1);
    client
}

#[tokio::test]
async fn a_broken_connection_is_replaced() {
    let store = redis_store();
    for number in 1..=3 {
        let broken = break_connection(&store).await;
        assert!(store.insert_artifact(&artifact(number)).await.unwrap());
        assert_ne!(client_of(&store).await, broken);

        let broken = break_connection(&store).await;
        assert_eq!(store.artifact(id(number)).await.unwrap(), Some(artifact(number)));
        assert_ne!(client_of(&store).await, broken);
    }
}

#[tokio::test]
async fn a_connection_that_broke_is_not_the_only_doubtful_one() {
    let store = redis_store();
    let all = async || futures::future::join_all((0..8).map(|_| client_of(&store))).await;
    let broken = all().await;
    for client in &broken {
        let _: i64 = send(&redis_store(), cmd("CLIENT").arg("KILL").arg("ID").arg(client)).await;
    }
    store.ping().await.unwrap();
    assert!(all().await.iter().all(|client| !broken.contains(client)));
}

#[tokio::test]
async fn only_a_change_asks_first_whether_the_connection_works() {
    let store = redis_store();
    store.insert_artifact(&artifact(1)).await.unwrap();
    let read = async {
        for _ in 0..10 {
            assert_eq!(store.artifact(id(1)).await.unwrap(), Some(artifact(1)));
        }
    };
    let reads = commands_of(&store, read).await;
    // One that had to wait for a second may ask, too.
    assert!(reads.len() < 15, "{reads:#?}");

    let change = async { assert!(store.insert_artifact(&artifact(2)).await.unwrap()) };
    let change = commands_of(&store, change).await;
    assert!(change[0].ends_with("\"PING\""), "{change:#?}");
}

#[tokio::test]
async fn a_server_that_forgot_the_scripts_is_taught_again() {
    let store = redis_store();
    for number in 1..=2 {
        let _: String = send(&store, cmd("SCRIPT").arg("FLUSH")).await;
        assert!(store.insert_artifact(&artifact(number)).await.unwrap());
    }
    assert_eq!(store.artifacts(&[id(1), id(2)]).await.unwrap(), [Some(artifact(1)), Some(artifact(2))]);
}
