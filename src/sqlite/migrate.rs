//! Brings a database to the schema that this binary knows.

use rusqlite::{Connection, TransactionBehavior};

use crate::fault::Cause;

/// One step from a schema to the next.
pub(crate) struct Migration {
    sql: &'static str,
    code: Option<Code>,
}

/// What statements alone cannot do.
type Code = fn(&Connection) -> Result<(), Cause>;

impl Migration {
    /// A step of statements.
    pub(crate) const fn new(sql: &'static str) -> Self {
        Self { sql, code: None }
    }

    /// This step with code that runs after its statements, in the same transaction.
    pub(crate) const fn then(self, code: Code) -> Self {
        Self { code: Some(code), ..self }
    }

    fn run(&self, connection: &Connection) -> Result<(), Error> {
        connection.execute_batch(self.sql)?;
        self.code.map_or(Ok(()), |code| code(connection)).map_err(Error::Code)
    }
}

/// Applies the migrations that the database has not seen yet, each in its own transaction. The count
/// of those applied is kept in `user_version`.
pub(super) fn apply(connection: &mut Connection, migrations: &[Migration]) -> Result<(), Error> {
    loop {
        // The version is read under the write lock, so that two processes that start together agree.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version as usize > migrations.len() {
            return Err(Error::Newer { found: version, known: migrations.len() });
        }
        let Some(migration) = migrations.get(version as usize) else { return Ok(()) };
        migration.run(&transaction)?;
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
    #[error("a migration failed at the records there are")]
    Code(#[source] Cause),
}
