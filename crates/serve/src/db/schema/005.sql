-- When somebody first opened a film on the pages; 0 where nobody has.
ALTER TABLE instance ADD COLUMN first_opened_at BIGINT NOT NULL DEFAULT 0;
UPDATE instance SET first_opened_at = (SELECT MIN(audit.at) FROM audit WHERE audit.film_id = instance.id AND audit.action = 'film_opened')
    WHERE kind = 'film' AND EXISTS (SELECT 1 FROM audit WHERE audit.film_id = instance.id AND audit.action = 'film_opened');

-- The probability that was reported, and the network's own output before temperature and sigmoid, from which it follows. NULL where a film
-- was not read; the output is NULL too for films from before it was kept.
ALTER TABLE reading ADD COLUMN probability DOUBLE PRECISION;
ALTER TABLE reading ADD COLUMN logit DOUBLE PRECISION;
-- The calibration that it was made with; 0 for the bundle's own.
ALTER TABLE reading ADD COLUMN calibration_id BIGINT NOT NULL DEFAULT 0;
UPDATE reading SET probability = {json_number:prediction.probability} WHERE not_read = '' AND prediction LIKE '{%';

-- What the hospital says of its films: the last row of a film counts.
CREATE TABLE label (
    id {id},
    film_id BIGINT NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    -- 1: a fracture, 0: none.
    is_present BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX label_film ON label (film_id, id);

-- A temperature and a threshold for a network, as they were proposed with all that was shown. Whether one counts is in `calibration_use`.
CREATE TABLE calibration (
    id {id},
    model TEXT NOT NULL,
    temperature DOUBLE PRECISION NOT NULL,
    -- The bundle's own temperature.
    own_temperature DOUBLE PRECISION NOT NULL,
    threshold DOUBLE PRECISION NOT NULL,
    -- The sensitivity that the rule asked for.
    target DOUBLE PRECISION NOT NULL,
    chosen_on TEXT NOT NULL,
    -- What was shown, as JSON.
    report TEXT NOT NULL,
    person_id BIGINT NOT NULL,
    person TEXT NOT NULL,
    at BIGINT NOT NULL
);
-- From when on which calibration counts for a network: the last row. 0: the bundle's own.
CREATE TABLE calibration_use (
    id {id},
    model TEXT NOT NULL,
    calibration_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    person TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX calibration_use_model ON calibration_use (model, id);

-- Scores that an administrator chose to compare later ones with, for a network: the last row. Without scores: the bundle's own again.
CREATE TABLE baseline (
    id {id},
    model TEXT NOT NULL,
    films BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    -- The network's outputs, ascending, one film a patient, as a JSON array.
    logits TEXT NOT NULL,
    person_id BIGINT NOT NULL,
    person TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX baseline_model ON baseline (model, id);
{append_only:calibration}
{append_only:calibration_use}
{append_only:baseline}
