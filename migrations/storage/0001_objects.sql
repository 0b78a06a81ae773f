-- Objects name contents; contents are cut into chunks. Several objects may name one content (copies).
CREATE TABLE objects (
    key       TEXT    NOT NULL PRIMARY KEY,
    content   INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    stored_at INTEGER NOT NULL -- milliseconds since 1970
) WITHOUT ROWID;

CREATE INDEX objects_by_content ON objects (content);

-- All chunks of a content but the last have the same size. Numbers count from 0.
CREATE TABLE chunks (
    id      INTEGER NOT NULL PRIMARY KEY,
    content INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    data    BLOB    NOT NULL,
    UNIQUE (content, number)
);

-- Contents that no object names, because they are being written or because somebody may still be
-- reading them. Whoever does either renews the lease; what is past it may be removed.
CREATE TABLE leases (
    content INTEGER NOT NULL PRIMARY KEY,
    until   INTEGER NOT NULL -- milliseconds since 1970
);

CREATE INDEX leases_by_end ON leases (until);
