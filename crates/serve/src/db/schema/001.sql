-- An object that was received (kind `film`, though it may be anything), or that was made for one (`sr`, `gsps`, `sc`,
-- `parametric_map`). Texts that the object does not have are empty.
CREATE TABLE instance (
    id {id},
    kind TEXT NOT NULL,
    -- The film that it was made for.
    film_id BIGINT REFERENCES instance (id) ON DELETE CASCADE,
    sop_instance_uid TEXT NOT NULL UNIQUE,
    sop_class_uid TEXT NOT NULL,
    transfer_syntax TEXT NOT NULL,
    study_uid TEXT NOT NULL,
    series_uid TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    -- The node on whose disk it lies, and whether it is in the bucket.
    home TEXT NOT NULL,
    in_bucket BIGINT NOT NULL DEFAULT 0,
    received_at BIGINT NOT NULL,
    source TEXT NOT NULL,
    state TEXT NOT NULL,
    patient_name TEXT NOT NULL,
    patient_id TEXT NOT NULL,
    patient_birth_date TEXT NOT NULL,
    patient_sex TEXT NOT NULL,
    accession_number TEXT NOT NULL,
    study_id TEXT NOT NULL,
    study_date TEXT NOT NULL,
    study_time TEXT NOT NULL,
    study_description TEXT NOT NULL,
    referring_physician TEXT NOT NULL,
    modality TEXT NOT NULL,
    series_number TEXT NOT NULL,
    series_description TEXT NOT NULL,
    instance_number TEXT NOT NULL,
    body_part TEXT NOT NULL,
    view_position TEXT NOT NULL,
    laterality TEXT NOT NULL,
    image_rows BIGINT NOT NULL,
    image_columns BIGINT NOT NULL,
    -- The header without pixels, as DICOM JSON.
    metadata TEXT NOT NULL,
    UNIQUE (film_id, kind)
);
CREATE INDEX instance_study ON instance (study_uid, series_uid);
CREATE INDEX instance_name ON instance (UPPER(patient_name));
CREATE INDEX instance_patient ON instance (patient_id);
CREATE INDEX instance_accession ON instance (accession_number);
CREATE INDEX instance_date ON instance (study_date);
CREATE INDEX instance_received ON instance (received_at);
CREATE INDEX instance_hash ON instance (sha256);

-- The same SOP Instance UID with other bytes: kept apart, and shown.
CREATE TABLE conflict (
    id {id},
    film_id BIGINT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    sha256 TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    source TEXT NOT NULL,
    UNIQUE (film_id, sha256)
);

-- Work on a film: `read`, `copy` (to the bucket). A row stays until it is done, or dead: for a person to look at.
CREATE TABLE job (
    id {id},
    kind TEXT NOT NULL,
    film_id BIGINT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    -- Where it must be done; empty for anywhere.
    home TEXT NOT NULL,
    state TEXT NOT NULL,
    run_at BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    lease_owner TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    error TEXT NOT NULL,
    UNIQUE (kind, film_id)
);
CREATE INDEX job_due ON job (kind, state, run_at);

-- What became of a film: one row.
CREATE TABLE reading (
    film_id BIGINT PRIMARY KEY REFERENCES instance (id) ON DELETE CASCADE,
    read_at BIGINT NOT NULL,
    milliseconds BIGINT NOT NULL,
    is_positive BIGINT NOT NULL,
    -- Empty, or why it was not read.
    not_read TEXT NOT NULL,
    model TEXT NOT NULL,
    -- The line of `coxa predict --json --cam`, without the file.
    prediction TEXT NOT NULL
);
CREATE INDEX reading_at ON reading (read_at);

-- An object on its way to a destination: one row for both.
CREATE TABLE send (
    id {id},
    object_id BIGINT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    destination TEXT NOT NULL,
    priority BIGINT NOT NULL,
    state TEXT NOT NULL,
    run_at BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    lease_owner TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    -- The last status of the destination, -1 where there was none, and its meaning in words.
    status BIGINT NOT NULL,
    explained TEXT NOT NULL,
    done_at BIGINT NOT NULL,
    UNIQUE (object_id, destination)
);
CREATE INDEX send_due ON send (destination, state, priority, run_at);

-- Associations that were refused, the same ones counted.
CREATE TABLE refusal (
    id {id},
    calling TEXT NOT NULL,
    called TEXT NOT NULL,
    address TEXT NOT NULL,
    reason TEXT NOT NULL,
    asked TEXT NOT NULL,
    implementation TEXT NOT NULL,
    remedy TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    times BIGINT NOT NULL,
    UNIQUE (calling, called, address, reason)
);

-- Storage commitment: what was asked, until it has been answered.
CREATE TABLE commitment (
    id {id},
    peer TEXT NOT NULL,
    transaction_uid TEXT NOT NULL,
    request TEXT NOT NULL,
    state TEXT NOT NULL,
    run_at BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    lease_owner TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    explained TEXT NOT NULL,
    UNIQUE (peer, transaction_uid)
);

-- Who may use the interfaces: the SHA-256 of a token, never the token.
CREATE TABLE token (
    name TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Which network reads here, and since when.
CREATE TABLE network (
    model TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    since BIGINT NOT NULL
);
