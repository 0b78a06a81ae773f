use deadpool_redis::redis::{Cmd, FromRedisValue, cmd};

use super::*;
use crate::domain::ttl::{Lifetime, Ttl};
use crate::metadata::contract::{artifact, at, garbage, id, partition, redis_store};

/// Sends one command past the provider.
async fn send<T: FromRedisValue>(store: &RedisMetadata, command: &Cmd) -> T {
    let mut connection = store.connector.connection("testing").await.unwrap();
    command.query_async(&mut connection).await.unwrap()
}

async fn entries(store: &RedisMetadata) -> Vec<String> {
    send(store, cmd("ZRANGE").arg(store.keys.partition(&partition())).arg(0).arg(-1)).await
}

async fn lose_record(store: &RedisMetadata, number: u8) {
    let key = store.keys.record("artifact", &id(number).to_string()).record;
    assert_eq!(send::<i64>(store, cmd("DEL").arg(key)).await, 1);
}

fn expiring(number: u8, expires_at: Timestamp) -> Artifact {
    Artifact { life: Some(Lifetime { ttl: Ttl::MAX, expires_at }), ..artifact(number) }
}

#[tokio::test]
async fn a_dangling_entry_is_passed_over_and_removed_after_a_while() {
    let mut store = redis_store();
    for number in 1..=4 {
        store.insert_artifact(&artifact(number)).await.unwrap();
    }
    for number in [2, 4] {
        lose_record(&store, number).await;
    }
    for _ in 0..2 {
        // The page is full although entries on its way lead nowhere, and they stay for now.
        assert_eq!(store.artifacts_in(&partition(), None, 2).await.unwrap(), [artifact(3), artifact(1)]);
        assert_eq!(entries(&store).await.len(), 4);
    }
    store.dangling_grace = Duration::ZERO;
    assert_eq!(store.artifacts_in(&partition(), None, 2).await.unwrap(), [artifact(3), artifact(1)]);
    assert_eq!(entries(&store).await, [id(1).to_string(), id(3).to_string()]);
}

#[tokio::test]
async fn an_insertion_under_way_keeps_its_entry() {
    let store = RedisMetadata { dangling_grace: Duration::ZERO, ..redis_store() };
    store.insert_artifact(&artifact(1)).await.unwrap();
    lose_record(&store, 1).await;
    assert_eq!(store.artifacts_in(&partition(), None, 10).await.unwrap(), []);

    // The entry is a suspect now. An insertion begins, and a listing comes before its record.
    let entry = store.index_entry(&artifact(1));
    store.connector.run::<()>("testing", &entry).await.unwrap();
    assert_eq!(store.artifacts_in(&partition(), None, 10).await.unwrap(), []);
    assert_eq!(entries(&store).await, [id(1).to_string()]);
    assert!(store.insert("testing", &Pipeline::new(), &artifact(1)).await.unwrap());
    assert_eq!(store.artifacts_in(&partition(), None, 10).await.unwrap(), [artifact(1)]);
}

#[tokio::test]
async fn a_wrong_expiry_entry_expires_nothing_and_is_put_right() {
    let store = redis_store();
    for artifact in [expiring(1, at(100)), artifact(2), expiring(3, at(1))] {
        store.insert_artifact(&artifact).await.unwrap();
    }
    lose_record(&store, 3).await;
    for number in [1, 2] {
        let index = store.keys.record("artifact", &id(number).to_string()).expiry;
        let _: i64 = send(&store, cmd("ZADD").arg(index).arg(0).arg(id(number).to_string())).await;
    }
    assert_eq!(store.expired_artifacts(at(99), 10).await.unwrap(), []);

    let indexes = (0..SHARDS).map(|shard| store.keys.expiry("artifact", shard));
    let left = store.earliest("testing", indexes, Timestamp::MAX, 10).await.unwrap();
    assert_eq!(left, [id(1).to_string()]);
    assert_eq!(store.artifact(id(1)).await.unwrap(), Some(expiring(1, at(100))));
    assert_eq!(store.expired_artifacts(at(100), 10).await.unwrap(), [expiring(1, at(100))]);
}

#[tokio::test]
async fn no_entry_outlives_its_record() {
    let store = redis_store();
    store.insert_artifact(&expiring(1, at(1))).await.unwrap();
    assert_eq!(store.delete_artifact(&expiring(1, at(1)), &garbage(1, at(2))).await.unwrap(), Replaced::Done);
    store.forget_garbage(&garbage(1, at(2))).await.unwrap();
    let keys = store.keys.record("artifact", &id(1).to_string());
    for key in [keys.record, keys.expiry, keys.garbage, store.keys.partition(&partition())] {
        assert_eq!(send::<i64>(&store, cmd("EXISTS").arg(&key)).await, 0, "{key}");
    }
}

#[tokio::test]
async fn redis_itself_expires_no_record() {
    let store = redis_store();
    store.insert_artifact(&expiring(1, at(1))).await.unwrap();
    let key = store.keys.record("artifact", &id(1).to_string()).record;
    assert_eq!(send::<i64>(&store, cmd("TTL").arg(key)).await, -1);
}

#[tokio::test]
async fn a_server_that_forgot_the_scripts_is_taught_again() {
    let store = redis_store();
    for number in 1..=2 {
        let _: String = send(&store, cmd("SCRIPT").arg("FLUSH")).await;
        assert!(store.insert_artifact(&artifact(number)).await.unwrap());
    }
    assert_eq!(store.artifacts_in(&partition(), None, 10).await.unwrap(), [artifact(2), artifact(1)]);
}

#[tokio::test]
async fn a_broken_connection_is_replaced() {
    let store = redis_store();
    let client: i64 = send(&store, cmd("CLIENT").arg("ID")).await;
    let other = redis_store();
    assert_eq!(send::<i64>(&other, cmd("CLIENT").arg("KILL").arg("ID").arg(client)).await, 1);
    store.ping().await.unwrap();
    assert_ne!(send::<i64>(&store, cmd("CLIENT").arg("ID")).await, client);
}

#[test]
fn a_prefix_with_braces_is_refused() {
    assert!(RedisMetadata::connect("redis://127.0.0.1/", "{a}").is_err());
}

#[test]
fn printing_tells_no_secret() {
    let store = RedisMetadata::connect("redis://alice:hunter2@127.0.0.1/", "p").unwrap();
    assert!(!format!("{store:?}").contains("hunter2"));
}
