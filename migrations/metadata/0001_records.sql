-- The JSON in `record` is the truth; the other columns repeat what is looked for.
-- Instants are milliseconds since 1970. Versions are unsigned, kept in the signed integer of the same bits.

-- Tables of records keep their rowid: their rows are too wide to live inside an index.
CREATE TABLE artifacts (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    partition TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires_at INTEGER,
    record TEXT NOT NULL
) STRICT;

CREATE INDEX artifacts_by_partition ON artifacts (partition, id DESC);
CREATE INDEX artifacts_by_expiry ON artifacts (expires_at, id) WHERE expires_at IS NOT NULL;

CREATE TABLE sessions (
    sandbox TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (sandbox, id)
) STRICT;

CREATE INDEX sessions_by_expiry ON sessions (expires_at, sandbox, id);

CREATE TABLE default_sessions (
    sandbox TEXT NOT NULL,
    user TEXT NOT NULL,
    session TEXT NOT NULL,
    PRIMARY KEY (sandbox, user)
) STRICT, WITHOUT ROWID;

-- The key begins with what the sweeper asks for.
CREATE TABLE garbage (
    due INTEGER NOT NULL,
    key TEXT NOT NULL,
    provider TEXT NOT NULL,
    PRIMARY KEY (due, key, provider)
) STRICT, WITHOUT ROWID;
