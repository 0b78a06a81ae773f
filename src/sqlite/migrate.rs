//! Brings a database to the schema that this binary knows.

use rusqlite::{Connection, TransactionBehavior};

/// Applies the migrations that the database has not seen yet, each in its own transaction. The count
/// of those applied is kept in `user_version`.
pub(super) fn apply(connection: &mut Connection, migrations: &[&str]) -> Result<(), Error> {
    loop {
        // The version is read under the write lock, so that two processes that start together agree.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version as usize > migrations.len() {
            return Err(Error::Newer { found: version, known: migrations.len() });
        }
        let Some(migration) = migrations.get(version as usize) else { return Ok(()) };
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version + 1)?;
        transaction.commit()?;
    }
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the database has schema version {found}, but this program knows {known}: use a newer artifactd")]
    Newer { found: u32, known: usize },
    #[error("a migration failed")]
    Sqlite(#[from] rusqlite::Error),
}
