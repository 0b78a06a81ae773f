//! What SQL alone cannot do to bring older records into the tables of today.
//!
//! A record that cannot be read ends the upgrade: left out of the index, nobody would find it again.

use rusqlite::{Connection, params};

use super::change::Difference;
use super::queries;
use super::rows::artifact;
use crate::domain::id::{ArtifactId, SandboxId, SessionId};
use crate::fault::Cause;
use crate::metadata::{Kind, session_name};

/// After `0002_index.sql`: makes documents of sessions, and index entries and totals of artifacts.
pub(super) fn fill_index(connection: &Connection) -> Result<(), Cause> {
    name_sessions(connection)?;
    connection.execute("DROP TABLE sessions", [])?;
    index_artifacts(connection)
}

fn name_sessions(connection: &Connection) -> Result<(), Cause> {
    let mut sessions = connection.prepare("SELECT sandbox, id, version, expires_at, record FROM sessions")?;
    let mut rows = sessions.query([])?;
    while let Some(row) = rows.next()? {
        let (sandbox, id): (SandboxId, SessionId) =
            (row.get_ref(0)?.as_str()?.parse()?, row.get_ref(1)?.as_str()?.parse()?);
        let (version, expires_at, record): (i64, i64, String) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let document = params![Kind::Session.as_str(), session_name(&sandbox, &id), version, expires_at, record];
        connection.prepare_cached(queries::INSERT_DOCUMENT)?.execute(document)?;
    }
    Ok(())
}

fn index_artifacts(connection: &Connection) -> Result<(), Cause> {
    let mut artifacts = connection.prepare("SELECT record, id FROM artifacts")?;
    let mut rows = artifacts.query([])?;
    while let Some(row) = rows.next()? {
        let id = ArtifactId::from_bytes(row.get(1)?);
        let artifact = artifact(row)?.map_err(|error| format!("artifact {id}: {error}"))?;
        Difference::inserting(&artifact).apply(connection)?;
    }
    Ok(())
}
