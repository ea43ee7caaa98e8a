-- Accounts that sign in through an identity provider (OpenID Connect): known by issuer and subject, by nothing else.
CREATE TABLE oidc_account (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    person_id BIGINT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX oidc_account_person ON oidc_account (person_id);

-- Sign-ins that have been sent to the provider and have not come back: each is good once, for the browser that began it.
CREATE TABLE oidc_flow (
    -- SHA-256 of the state, and of what the browser's cookie holds.
    state TEXT PRIMARY KEY,
    browser TEXT NOT NULL,
    nonce TEXT NOT NULL,
    -- What proves to the provider that the code is exchanged by whoever asked for it (RFC 7636).
    verifier TEXT NOT NULL,
    next TEXT NOT NULL,
    begun_at BIGINT NOT NULL
);
CREATE INDEX oidc_flow_begun ON oidc_flow (begun_at);

-- What the key that seals secrets is known again by, so that no node seals with another one.
CREATE TABLE sealing_key (
    id BIGINT PRIMARY KEY,
    mark TEXT NOT NULL
);
