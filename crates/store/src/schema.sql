CREATE TABLE session (
    id          TEXT PRIMARY KEY,
    agent       TEXT NOT NULL,
    title       TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX session_by_use ON session (agent, updated_at);

-- A body may hold a picture of several megabytes, hence a table with rowids.
CREATE TABLE event (
    session     TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    turn        TEXT,
    kind        TEXT NOT NULL,
    body        TEXT NOT NULL,
    label       TEXT NOT NULL,
    at          INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX event_by_session ON event (session, seq);

CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event BEGIN
    SELECT RAISE (ABORT, 'an event is never changed');
END;

CREATE TRIGGER event_lives_as_long_as_its_session BEFORE DELETE ON event
WHEN EXISTS (SELECT 1 FROM session WHERE id = OLD.session) BEGIN
    SELECT RAISE (ABORT, 'an event lives as long as its session');
END;

CREATE TABLE fact (
    route       TEXT NOT NULL,
    name        TEXT NOT NULL,
    value       TEXT NOT NULL,
    source      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (route, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage (
    session     TEXT NOT NULL,
    turn        TEXT NOT NULL,
    attempt     INTEGER NOT NULL,
    reference   TEXT NOT NULL,
    endpoint    TEXT NOT NULL,
    residency   TEXT NOT NULL,
    fault       TEXT,
    tokens      TEXT NOT NULL,
    timing      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (session, turn, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
    session     TEXT PRIMARY KEY,
    owner       TEXT NOT NULL,
    until       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
