-- Who may use the pages. Names are unique without regard to case, as they are kept in lower case.
CREATE TABLE person (
    id {id},
    name TEXT NOT NULL UNIQUE,
    full_name TEXT NOT NULL,
    -- Roles, separated by spaces.
    roles TEXT NOT NULL,
    -- Argon2id with its parameters and salt (PHC format), never the password.
    password TEXT NOT NULL,
    -- 1: the password was given, and at the next sign-in another is chosen.
    is_one_time BIGINT NOT NULL,
    -- 1: signs in from this machine alone: the first account, until it has a password of its own.
    is_local BIGINT NOT NULL,
    is_disabled BIGINT NOT NULL,
    -- Base32; empty where no second factor is set up. `has_totp` is 1 once a code was confirmed.
    totp_secret TEXT NOT NULL,
    has_totp BIGINT NOT NULL,
    -- The last time step whose code was used: none is good twice.
    totp_step BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    signed_in_at BIGINT NOT NULL
);

-- Codes for whoever has lost the second factor: SHA-256, each good once.
CREATE TABLE recovery (
    person_id BIGINT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    hash TEXT NOT NULL,
    PRIMARY KEY (person_id, hash)
);

-- Sign-ins that last: the SHA-256 of what the cookie holds.
CREATE TABLE session (
    id {id},
    hash TEXT NOT NULL UNIQUE,
    person_id BIGINT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    -- `code` and `change`: a second factor or a new password is still missing; `full`.
    stage TEXT NOT NULL,
    begun_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
);
CREATE INDEX session_person ON session (person_id);

-- Who reviewed; NULL for reviews from before there were accounts.
ALTER TABLE review ADD COLUMN person_id BIGINT REFERENCES person (id);

-- What was done: each entry's hash covers the one before. `body` is the entry, the columns beside it are for searching.
CREATE TABLE audit (
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    action TEXT NOT NULL,
    person_id BIGINT NOT NULL,
    film_id BIGINT NOT NULL,
    body TEXT NOT NULL,
    hash TEXT NOT NULL,
    signing_key TEXT NOT NULL,
    signature TEXT NOT NULL
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_person ON audit (person_id, seq);
CREATE INDEX audit_film ON audit (film_id, seq);
CREATE INDEX audit_action ON audit (action, seq);
-- The last entry, locked by whoever adds the next.
CREATE TABLE audit_head (
    id BIGINT PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
{append_only:audit}
