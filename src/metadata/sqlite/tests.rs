use serde_json::json;

use super::*;
use crate::domain::artifact::SessionUse;
use crate::domain::scope::Scope;
use crate::domain::search::{Filter, MetaTerm, Order};
use crate::domain::session::Session;
use crate::metadata::contract::{artifact, at, garbage, partition, session};
use crate::metadata::{Search, Total, session_name};

/// A plan that scans a table or sorts in a temporary tree costs more than the page it gives.
#[test]
fn no_query_scans_or_sorts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.db");
    drop(SqliteMetadata::open(&path).unwrap());
    let connection = Connection::open(path).unwrap();
    for (name, sql) in queries::ALL.iter().filter(|(name, _)| *name != "PING") {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let unbound = vec![rusqlite::types::Null; statement.parameter_count()];
        let plan = statement.query_map(rusqlite::params_from_iter(unbound), |row| row.get::<_, String>("detail"));
        let plan = plan.unwrap().collect::<rusqlite::Result<Vec<_>>>().unwrap().join("; ");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{name}: {plan}");
        // An INSERT of values has no plan; everything else says which index it uses.
        assert_eq!(plan.is_empty(), sql.trim_start().starts_with("INSERT"), "{name}: {plan}");
    }
}

#[tokio::test]
async fn everything_survives_a_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.db");
    let (sandbox, user, id) = ("app".parse().unwrap(), "alice".parse().unwrap(), "chat".parse().unwrap());
    {
        let store = SqliteMetadata::open(&path).unwrap();
        for number in [1, 2] {
            assert!(store.insert_artifact(&artifact(number)).await.unwrap());
        }
        assert_eq!(store.delete_artifact(&artifact(2), &garbage(2, at(0))).await.unwrap(), Replaced::Done);
        assert!(store.set_default_session(&sandbox, &user, None, &id).await.unwrap());
        assert!((&store as &dyn MetadataStore).insert(&session("chat")).await.unwrap());
    }
    let store = SqliteMetadata::open(&path).unwrap();
    assert_eq!(found(&store, &Filter::default()).await, [artifact(1)]);
    assert_eq!(store.totals(&sandbox).await.unwrap().session, Total { artifacts: 1, bytes: 0 });
    assert_eq!(store.default_session(&sandbox, &user).await.unwrap(), Some(id));
    assert_eq!(store.due_garbage(at(0), 10).await.unwrap(), [garbage(2, at(0))]);
    assert_eq!(find(&store, "chat").await, Some(session("chat")));
}

/// As two processes do.
#[tokio::test]
async fn what_one_changes_the_other_sees_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = [(); 2].map(|()| SqliteMetadata::open(&folder.path().join("metadata.db")).unwrap());
    let mut artifact = artifact(1);
    let mut session = session("chat");
    one.insert_artifact(&artifact).await.unwrap();
    (&one as &dyn MetadataStore).insert(&session).await.unwrap();
    for (writer, reader) in [(&other, &one), (&one, &other), (&one, &other)] {
        // Read twice, so that it is in memory.
        for _ in 0..2 {
            assert_eq!(reader.artifact(artifact.id).await.unwrap().as_ref(), Some(&artifact));
            assert_eq!(find(reader, "chat").await.as_ref(), Some(&session));
        }
        let before = (artifact.clone(), session.clone());
        artifact.version += 1;
        session.version += 1;
        assert_eq!(writer.replace_artifact(&before.0, &artifact, None).await.unwrap(), Replaced::Done);
        let replaced = (writer as &dyn MetadataStore).replace(&session, before.1.version).await.unwrap();
        assert_eq!(replaced, Replaced::Done);
    }
    assert_eq!(other.artifact(artifact.id).await.unwrap().as_ref(), Some(&artifact));
    assert_eq!(other.delete_artifact(&artifact, &garbage(1, at(0))).await.unwrap(), Replaced::Done);
    assert_eq!(one.artifact(artifact.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_an_operators_matter() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteMetadata::open(&folder.path().join("metadata.db")).unwrap();
    store.insert_artifact(&artifact(1)).await.unwrap();
    let damage = |connection: &Connection| connection.execute("UPDATE artifacts SET record = '{}'", []);
    store.database.write("damaging", damage).await.unwrap();
    let fault = store.artifact(artifact(1).id).await.unwrap_err();
    assert_eq!(fault.kind, crate::fault::FaultKind::Broken);
}

/// A database as the first version left it, with these records.
fn first_version(path: &Path, artifacts: &[(ArtifactId, String)], sessions: &[Session]) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(include_str!("../../../migrations/metadata/0001_records.sql")).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    for (id, record) in artifacts {
        let row = params![id.as_bytes(), partition().to_string(), 1, at(50).as_millis(), record];
        connection.execute("INSERT INTO artifacts VALUES (?1, ?2, ?3, ?4, ?5)", row).unwrap();
    }
    for session in sessions {
        let (sandbox, id, record) = (session.sandbox.as_str(), session.id.as_str(), json!(session).to_string());
        let row = params![sandbox, id, session.version.cast_signed(), session.life.expires_at.as_millis(), record];
        connection.execute("INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5)", row).unwrap();
    }
}

#[tokio::test]
async fn what_the_first_version_kept_is_found_by_all_that_came_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.db");
    let artifacts = [1, 2].map(|number| {
        let mut artifact = artifact(number);
        artifact.description.meta = json!({"number": number}).try_into().unwrap();
        artifact.session = Some(SessionUse { id: "chat".parse().unwrap(), began: at(0) });
        artifact.content.bytes = u64::from(number);
        artifact
    });
    let sessions = ["chat", "a/b", "..", "名前"].map(|id| Session { version: u64::MAX, ..session(id) });
    let records = artifacts.each_ref().map(|artifact| (artifact.id, json!(artifact).to_string()));
    first_version(&path, &records, &sessions);

    for _ in 0..2 {
        let store = SqliteMetadata::open(&path).unwrap();
        for session in &sessions {
            assert_eq!(find(&store, session.id.as_str()).await.as_ref(), Some(session));
        }
        let expired = (&store as &dyn MetadataStore).expired::<Session>(Timestamp::MAX, 10).await.unwrap();
        assert_eq!(expired.len(), sessions.len());
        let [first, second] = &artifacts;
        assert_eq!(found(&store, &Filter::default()).await, [second.clone(), first.clone()]);
        let meta = vec![MetaTerm::new("number", &json!(1)).unwrap()];
        assert_eq!(found(&store, &Filter { meta, ..Filter::default() }).await, std::slice::from_ref(first));
        let totals = store.totals(partition().sandbox()).await.unwrap();
        assert_eq!(totals.of(Scope::Session), Total { artifacts: 2, bytes: 3 });
        assert_eq!(store.expired_artifacts(at(50), 10).await.unwrap(), artifacts);
    }
    let store = SqliteMetadata::open(&path).unwrap();
    for artifact in &artifacts {
        let note = garbage(1, at(0));
        assert_eq!(store.delete_artifact(artifact, &note).await.unwrap(), Replaced::Done);
    }
    assert_eq!(found(&store, &Filter::default()).await, []);
    assert_eq!(store.totals(partition().sandbox()).await.unwrap(), Totals::default());
}

#[tokio::test]
async fn a_record_that_cannot_be_indexed_leaves_the_database_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.db");
    let damaged = artifact(2).id;
    let records = [(artifact(1).id, json!(artifact(1)).to_string()), (damaged, "{}".to_owned())];
    first_version(&path, &records, &[session("chat")]);
    for _ in 0..2 {
        let fault = SqliteMetadata::open(&path).err().unwrap();
        let text = crate::fault::Chain(&fault).to_string();
        assert!(text.contains(&damaged.to_string()), "{text}");
    }
    let connection = Connection::open(&path).unwrap();
    let sessions: i64 = connection.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)).unwrap();
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!((sessions, version), (1, 1));
}

async fn found(store: &dyn MetadataStore, filter: &Filter) -> Vec<Artifact> {
    let partitions = [partition()];
    let search =
        Search { partitions: &partitions, filter, order: Order::default(), after: None, limit: 10, visible: &|_| true };
    store.search(&search).await.unwrap().items
}

async fn find(store: &dyn MetadataStore, id: &str) -> Option<Session> {
    store.find(&session_name(partition().sandbox(), &id.parse().unwrap())).await.unwrap()
}
