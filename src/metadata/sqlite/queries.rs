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
        INSERT INTO artifacts (id, partition, version, expires_at, record) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO NOTHING";
    ARTIFACT = "SELECT record FROM artifacts WHERE id = ?1";
    ARTIFACT_EXISTS = "SELECT 1 FROM artifacts WHERE id = ?1";
    REPLACE_ARTIFACT = "
        UPDATE artifacts SET version = ?3, expires_at = ?4, record = ?5 WHERE id = ?1 AND version = ?2";
    DELETE_ARTIFACT = "DELETE FROM artifacts WHERE id = ?1 AND version = ?2";
    NEWEST_ARTIFACTS = "SELECT record FROM artifacts WHERE partition = ?1 ORDER BY id DESC LIMIT ?2";
    NEWEST_ARTIFACTS_BEFORE = "
        SELECT record FROM artifacts WHERE partition = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    EXPIRED_ARTIFACTS = "SELECT record FROM artifacts WHERE expires_at <= ?1 ORDER BY expires_at, id LIMIT ?2";

    INSERT_SESSION = "
        INSERT INTO sessions (sandbox, id, version, expires_at, record) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO NOTHING";
    SESSION = "SELECT record FROM sessions WHERE sandbox = ?1 AND id = ?2";
    SESSION_EXISTS = "SELECT 1 FROM sessions WHERE sandbox = ?1 AND id = ?2";
    REPLACE_SESSION = "
        UPDATE sessions SET version = ?4, expires_at = ?5, record = ?6
        WHERE sandbox = ?1 AND id = ?2 AND version = ?3";
    DELETE_SESSION = "DELETE FROM sessions WHERE sandbox = ?1 AND id = ?2 AND version = ?3";
    EXPIRED_SESSIONS = "
        SELECT record FROM sessions WHERE expires_at <= ?1 ORDER BY expires_at, sandbox, id LIMIT ?2";

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
