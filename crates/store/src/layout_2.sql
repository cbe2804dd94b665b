-- Questions to the owner. What is asked is the guard's business; who answered what, and that an answer is used once, is kept here.
CREATE TABLE approval (
    id          TEXT PRIMARY KEY,
    session     TEXT NOT NULL,
    turn        TEXT NOT NULL,
    question    TEXT NOT NULL,
    terms       TEXT NOT NULL,
    asked_at    INTEGER NOT NULL,
    expires     INTEGER NOT NULL,
    answer      TEXT,
    answered_by TEXT,
    answered_at INTEGER,
    used_at     INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX approval_by_session ON approval (session);

CREATE TABLE permit (
    id          TEXT PRIMARY KEY,
    session     TEXT,
    body        TEXT NOT NULL,
    uses_left   INTEGER NOT NULL,
    given_at    INTEGER NOT NULL,
    expires     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    seq         INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    body        TEXT NOT NULL,
    hash        TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit BEGIN
    SELECT RAISE (ABORT, 'the audit is never changed');
END;

CREATE TRIGGER audit_is_never_thinned_out BEFORE DELETE ON audit BEGIN
    SELECT RAISE (ABORT, 'the audit is never thinned out');
END;

CREATE TABLE effect (
    session     TEXT NOT NULL,
    id          TEXT NOT NULL,
    turn        TEXT NOT NULL,
    intent      TEXT NOT NULL,
    state       TEXT NOT NULL,
    begun_at    INTEGER NOT NULL,
    ended_at    INTEGER,
    PRIMARY KEY (session, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE file_label (
    workspace   TEXT NOT NULL,
    path        TEXT NOT NULL,
    content     TEXT NOT NULL,
    label       TEXT NOT NULL,
    -- Counts up: the highest of a path is what was written there last.
    written     INTEGER NOT NULL,
    PRIMARY KEY (workspace, path, content)
) STRICT, WITHOUT ROWID;
