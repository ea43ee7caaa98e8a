-- Labelings: films that reviewers label, or whose heat maps they judge. A decision is added and never changed: the last one of a person
-- on a film counts.
CREATE TABLE labeling (
    id {id},
    name TEXT NOT NULL,
    -- `labels` or `heat_maps`.
    task TEXT NOT NULL,
    -- Which films were chosen, in words.
    rule TEXT NOT NULL,
    -- The reviewers' orders follow from it.
    seed BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    closed_at BIGINT NOT NULL,
    -- The films as they came: manifest.csv and truth.csv. A film's place is its row.
    manifest TEXT NOT NULL,
    truth TEXT NOT NULL
);
CREATE TABLE labeling_reviewer (
    labeling_id BIGINT NOT NULL REFERENCES labeling (id),
    place BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    is_adjudicator BIGINT NOT NULL,
    PRIMARY KEY (labeling_id, place),
    UNIQUE (labeling_id, person_id)
);
CREATE INDEX labeling_reviewer_person ON labeling_reviewer (person_id);
CREATE TABLE labeling_film (
    id {id},
    labeling_id BIGINT NOT NULL REFERENCES labeling (id),
    place BIGINT NOT NULL,
    -- The film's row; 0 for a film that was imported.
    film_id BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    image_rows BIGINT NOT NULL,
    image_columns BIGINT NOT NULL,
    -- The patient's pseudonym here; empty where it is not known.
    patient TEXT NOT NULL,
    -- The radiologist's report; empty where there is none.
    report TEXT NOT NULL,
    -- The network's prediction as JSON; empty where there is none.
    prediction TEXT NOT NULL,
    needs_look BIGINT NOT NULL,
    UNIQUE (labeling_id, place)
);
CREATE INDEX labeling_film_film ON labeling_film (film_id);
CREATE INDEX labeling_film_sha256 ON labeling_film (sha256);
CREATE TABLE labeling_decision (
    id {id},
    film_id BIGINT NOT NULL REFERENCES labeling_film (id),
    person_id BIGINT NOT NULL,
    person TEXT NOT NULL,
    -- The decision that this one takes the place of; 0 for the first.
    supersedes BIGINT NOT NULL,
    -- JSON; empty where the one before is taken back.
    decision TEXT NOT NULL,
    at BIGINT NOT NULL,
    UNIQUE (film_id, person_id, supersedes)
);
{append_only:labeling_decision}
