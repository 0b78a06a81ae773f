mod connections;
mod search;

use deadpool_redis::redis::{Cmd, FromRedisValue, Pipeline, cmd};
use serde_json::{Value, json};

use super::*;
use crate::domain::id::SHARDS;
use crate::domain::ttl::{Lifetime, Ttl};
use crate::fault::FaultKind;
use crate::metadata::contract::{artifact, at, garbage, id, partition, redis_store};
use crate::metadata::entries_of;

/// Sends one command past the provider.
async fn send<T: FromRedisValue>(store: &RedisMetadata, command: &Cmd) -> T {
    let mut commands = Pipeline::new();
    commands.add_command(command.clone());
    let (reply,): (T,) = store.connector.run("testing", &commands).await.unwrap();
    reply
}

/// All keys of a store.
async fn keys_of(store: &RedisMetadata) -> Vec<String> {
    send(store, cmd("KEYS").arg(format!("{}:*", store.keys.prefix()))).await
}

fn key_of(store: &RedisMetadata, number: u8) -> String {
    store.keys.record(&Place::artifact(id(number)))
}

async fn spoil(store: &RedisMetadata, number: u8) {
    let () = send(store, cmd("SET").arg(key_of(store, number)).arg(b"1 \n{\xff")).await;
}

async fn expiry_entries(store: &RedisMetadata) -> Vec<String> {
    let index = |shard| store.keys.expiry(shard, ARTIFACT);
    let found = store.earliest("testing", index, Timestamp::MAX, 10).await.unwrap();
    found.into_iter().map(|(_, member)| member).collect()
}

fn expiring(number: u8, expires_at: Timestamp) -> Artifact {
    Artifact { life: Some(Lifetime { ttl: Ttl::MAX, expires_at }), ..artifact(number) }
}

fn with_meta(meta: Value, version: u64) -> Artifact {
    let mut artifact = Artifact { version, ..artifact(1) };
    artifact.description.meta = meta.try_into().unwrap();
    artifact
}

#[tokio::test]
async fn an_id_that_was_made_for_another_partition_is_refused() {
    let store = redis_store();
    let shard = (partition().shard() + 1) % SHARDS;
    let elsewhere = (0..=u8::MAX).map(|last| [[7; 15].as_slice(), &[last]].concat().try_into().unwrap());
    let elsewhere = elsewhere.map(ArtifactId::from_bytes).find(|id| id.shard() == shard).unwrap();
    let stranger = Artifact { id: elsewhere, ..expiring(1, at(1)) };
    for refused in [
        store.insert_artifact(&stranger).await.map(drop),
        store.replace_artifact(&stranger, &stranger, None).await.map(drop),
        store.delete_artifact(&stranger, &garbage(1, at(1))).await.map(drop),
    ] {
        let fault = refused.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Broken);
        assert_eq!(fault.source.to_string(), "the id of the artifact was made for another partition");
    }
    assert_eq!(keys_of(&store).await, [""; 0]);
}

#[tokio::test]
async fn what_has_very_many_values_changes_as_one() {
    let store = redis_store();
    let meta = |values: std::ops::Range<u32>| values.map(|value| (value.to_string(), json!(true))).collect();
    let first = with_meta(Value::Object(meta(0..20_000)), 1);
    let second = with_meta(Value::Object(meta(10_000..30_000)), 2);
    let index = store.keys.index(&partition());
    let indexed = async || send::<Vec<Entry>>(&store, cmd("ZRANGE").arg(&index).arg(0).arg(-1)).await;

    assert!(store.insert_artifact(&first).await.unwrap());
    assert!(entries_of(&first).into_iter().eq(indexed().await));
    assert_eq!(store.replace_artifact(&first, &second, None).await.unwrap(), Replaced::Done);
    assert!(entries_of(&second).into_iter().eq(indexed().await));
    assert_eq!(store.delete_artifact(&second, &garbage(1, at(1))).await.unwrap(), Replaced::Done);
    assert_eq!(indexed().await.len(), 0);
}

#[tokio::test]
async fn a_size_that_cannot_be_added_up_is_refused_before_anything_changes() {
    let store = redis_store();
    let mut huge = expiring(1, at(1));
    huge.content.bytes = u64::MAX;
    assert_eq!(store.insert_artifact(&huge).await.unwrap_err().kind, FaultKind::Broken);
    assert_eq!(keys_of(&store).await, [""; 0]);
}

#[tokio::test]
async fn a_wrong_expiry_entry_expires_nothing_and_is_put_right() {
    let store = redis_store();
    for artifact in [expiring(1, at(100)), artifact(2), expiring(3, at(1))] {
        store.insert_artifact(&artifact).await.unwrap();
    }
    assert_eq!(send::<i64>(&store, cmd("DEL").arg(key_of(&store, 3))).await, 1);
    for number in [1, 2] {
        let index = store.keys.expiry(id(number).shard(), ARTIFACT);
        let _: i64 = send(&store, cmd("ZADD").arg(index).arg(0).arg(id(number).to_string())).await;
    }
    assert_eq!(store.expired_artifacts(at(99), 10).await.unwrap(), []);
    assert_eq!(expiry_entries(&store).await, [id(1).to_string()]);
    assert_eq!(store.artifact(id(1)).await.unwrap(), Some(expiring(1, at(100))));
    assert_eq!(store.expired_artifacts(at(100), 10).await.unwrap(), [expiring(1, at(100))]);
}

#[tokio::test]
async fn what_cannot_be_read_hides_nothing_else_and_stays() {
    let store = redis_store();
    for number in 1..=4 {
        store.insert_artifact(&expiring(number, at(i64::from(number)))).await.unwrap();
    }
    for number in 1..=2 {
        spoil(&store, number).await;
    }
    assert_eq!(store.artifact(id(1)).await.unwrap_err().kind, FaultKind::Broken);
    let found = store.artifacts(&[id(4), id(1), id(3)]).await.unwrap();
    assert_eq!(found, [Some(expiring(4, at(4))), None, Some(expiring(3, at(3)))]);
    assert_eq!(store.expired_artifacts(at(9), 1).await.unwrap(), [expiring(3, at(3))]);
    assert_eq!(expiry_entries(&store).await, [1, 2, 3, 4].map(|number| id(number).to_string()));
}

#[tokio::test]
async fn a_note_of_garbage_that_cannot_be_read_hides_no_other() {
    let store = redis_store();
    store.insert_artifact(&artifact(1)).await.unwrap();
    assert_eq!(store.delete_artifact(&artifact(1), &garbage(1, at(1))).await.unwrap(), Replaced::Done);
    let _: i64 = send(&store, cmd("ZADD").arg(store.keys.garbage(id(1).shard())).arg(0).arg("{}")).await;
    assert_eq!(store.due_garbage(at(1), 1).await.unwrap(), [garbage(1, at(1))]);
}

#[tokio::test]
async fn nothing_outlives_its_record() {
    let store = redis_store();
    let mut artifact = expiring(1, at(1));
    artifact.content.bytes = 7;
    store.insert_artifact(&artifact).await.unwrap();
    assert_eq!(keys_of(&store).await.len(), 4);
    assert_eq!(store.delete_artifact(&artifact, &garbage(1, at(2))).await.unwrap(), Replaced::Done);
    store.forget_garbage(&garbage(1, at(2))).await.unwrap();
    assert_eq!(keys_of(&store).await, [""; 0]);

    let answer = document("answer", "");
    store.insert_document(&answer).await.unwrap();
    assert_eq!(keys_of(&store).await.len(), 2);
    assert_eq!(store.delete_document(Kind::Answer, "answer", 1).await.unwrap(), Replaced::Done);
    assert_eq!(keys_of(&store).await, [""; 0]);
}

#[tokio::test]
async fn redis_itself_expires_no_record() {
    let store = redis_store();
    store.insert_artifact(&expiring(1, at(1))).await.unwrap();
    assert_eq!(send::<i64>(&store, cmd("TTL").arg(key_of(&store, 1))).await, -1);
}

#[tokio::test]
async fn a_long_answer_is_kept() {
    let store = redis_store();
    let answer = document("{}\n{07}", &"\0\n é".repeat(500_000));
    assert!(store.insert_document(&answer).await.unwrap());
    assert_eq!(store.document(Kind::Answer, &answer.name).await.unwrap(), Some(answer));
}

fn document(name: &str, body: &str) -> Document {
    Document { kind: Kind::Answer, name: name.to_owned(), version: 1, expires_at: at(1), body: body.to_owned() }
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
