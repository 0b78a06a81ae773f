use super::*;
use crate::metadata::contract::{artifact, at, garbage};

/// A plan that scans a table or sorts in a temporary tree costs more than the page it gives.
#[test]
fn no_query_scans_or_sorts() {
    let connection = Connection::open_in_memory().unwrap();
    for migration in MIGRATIONS {
        connection.execute_batch(migration).unwrap();
    }
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
    let (sandbox, user, session) = ("app".parse().unwrap(), "alice".parse().unwrap(), "chat".parse().unwrap());
    {
        let store = SqliteMetadata::open(&path).unwrap();
        for number in [1, 2] {
            assert!(store.insert_artifact(&artifact(number)).await.unwrap());
        }
        assert_eq!(store.delete_artifact(&artifact(2), &garbage(2, at(0))).await.unwrap(), Replaced::Done);
        assert!(store.set_default_session(&sandbox, &user, None, &session).await.unwrap());
    }
    let store = SqliteMetadata::open(&path).unwrap();
    assert_eq!(store.artifact(artifact(1).id).await.unwrap(), Some(artifact(1)));
    assert_eq!(store.default_session(&sandbox, &user).await.unwrap(), Some(session));
    assert_eq!(store.due_garbage(at(0), 10).await.unwrap(), [garbage(2, at(0))]);
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
