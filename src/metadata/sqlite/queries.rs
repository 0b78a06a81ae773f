//! Every statement of the provider, in one place, so that a test can ask SQLite how it runs each.

macro_rules! queries {
    ($($name:ident = $sql:literal;)+) => {
        $(pub(super) const $name: &str = $sql;)+

        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $sql)),+];
    };
}

queries! {
    PING = "SELECT 1";

    INSERT_ARTIFACT = "
        INSERT INTO artifacts (id, version, expires_at, record) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    ARTIFACT = "SELECT record FROM artifacts WHERE id = ?1";
    ARTIFACT_EXISTS = "SELECT 1 FROM artifacts WHERE id = ?1";
    REPLACE_ARTIFACT = "
        UPDATE artifacts SET version = ?3, expires_at = ?4, record = ?5 WHERE id = ?1 AND version = ?2";
    DELETE_ARTIFACT = "DELETE FROM artifacts WHERE id = ?1 AND version = ?2";
    EXPIRED_ARTIFACTS = "SELECT record FROM artifacts WHERE expires_at <= ?1 ORDER BY expires_at, id LIMIT ?2";

    INSERT_ENTRY = "INSERT INTO entries (partition, entry) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    DELETE_ENTRY = "DELETE FROM entries WHERE partition = ?1 AND entry = ?2";
    SCAN = "
        SELECT entry FROM entries WHERE partition = ?1 AND entry >= ?2 AND entry < ?3 ORDER BY entry LIMIT ?4";
    SCAN_DESCENDING = "
        SELECT entry FROM entries WHERE partition = ?1 AND entry >= ?2 AND entry < ?3 ORDER BY entry DESC LIMIT ?4";
    COUNT = "SELECT 1 FROM entries WHERE partition = ?1 AND entry >= ?2 AND entry < ?3 LIMIT ?4";

    ADD_TO_TOTAL = "
        INSERT INTO totals (sandbox, scope, artifacts, bytes) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO UPDATE SET artifacts = artifacts + excluded.artifacts, bytes = bytes + excluded.bytes";
    TOTALS = "SELECT scope, artifacts, bytes FROM totals WHERE sandbox = ?1";

    INSERT_DOCUMENT = "
        INSERT INTO documents (kind, name, version, expires_at, body) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO NOTHING";
    DOCUMENT = "SELECT name, version, expires_at, body FROM documents WHERE kind = ?1 AND name = ?2";
    DOCUMENT_EXISTS = "SELECT 1 FROM documents WHERE kind = ?1 AND name = ?2";
    REPLACE_DOCUMENT = "
        UPDATE documents SET version = ?4, expires_at = ?5, body = ?6 WHERE kind = ?1 AND name = ?2 AND version = ?3";
    DELETE_DOCUMENT = "DELETE FROM documents WHERE kind = ?1 AND name = ?2 AND version = ?3";
    EXPIRED_DOCUMENTS = "
        SELECT name, version, expires_at, body FROM documents WHERE kind = ?1 AND expires_at <= ?2
        ORDER BY expires_at, name LIMIT ?3";

    DEFAULT_SESSION = "SELECT session FROM default_sessions WHERE sandbox = ?1 AND user = ?2";
    CLAIM_DEFAULT_SESSION = "
        INSERT INTO default_sessions (sandbox, user, session) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    REPLACE_DEFAULT_SESSION = "
        UPDATE default_sessions SET session = ?3 WHERE sandbox = ?1 AND user = ?2 AND session = ?4";

    NOTE_GARBAGE = "INSERT INTO garbage (due, key, provider) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    DUE_GARBAGE = "
        SELECT due, key, provider FROM garbage WHERE due <= ?1 ORDER BY due, key, provider LIMIT ?2";
    FORGET_GARBAGE = "DELETE FROM garbage WHERE due = ?1 AND key = ?2 AND provider = ?3";
}
