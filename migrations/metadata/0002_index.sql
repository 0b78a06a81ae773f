-- Search: the index of all partitions, one ordered set each. `partition` is a hash: what two share, the records
-- tell apart.
CREATE TABLE entries (
    partition INTEGER NOT NULL,
    entry BLOB NOT NULL,
    PRIMARY KEY (partition, entry)
) STRICT, WITHOUT ROWID;

-- How much there is in each scope of a sandbox.
CREATE TABLE totals (
    sandbox TEXT NOT NULL,
    scope TEXT NOT NULL,
    artifacts INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (sandbox, scope)
) STRICT, WITHOUT ROWID;

-- Sessions become documents of one kind; the JSON in `body` is the truth.
CREATE TABLE documents (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT;

CREATE INDEX documents_by_expiry ON documents (kind, expires_at, name);

-- The entries find what is in a partition.
DROP INDEX artifacts_by_partition;
ALTER TABLE artifacts DROP COLUMN partition;

-- The rows of these tables come from those of the older ones: sqlite/upgrade.rs, which then drops `sessions`.
