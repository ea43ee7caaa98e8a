-- A randomized trial of the reader: patients whose films' results are shown, and patients whose results are withheld until it is closed.
CREATE TABLE trial (
    id {id},
    name TEXT NOT NULL,
    -- The plan as JSON.
    plan TEXT NOT NULL,
    begun_at BIGINT NOT NULL,
    -- No further patient is randomized from then on; 0 while patients are enrolled.
    stopped_at BIGINT NOT NULL,
    -- Everything is shown from then on; 0 before.
    closed_at BIGINT NOT NULL,
    -- What the sequence of arms follows from; no page reads it before the trial is closed.
    secret TEXT NOT NULL,
    -- Its SHA-256, which the audit log has since the beginning.
    commitment TEXT NOT NULL,
    -- The CSV that is analyzed, frozen when the trial was closed; empty before.
    frozen TEXT NOT NULL
);

-- A patient who was assessed: randomized, or excluded for a reason.
CREATE TABLE trial_patient (
    id {id},
    trial_id BIGINT NOT NULL REFERENCES trial (id) ON DELETE CASCADE,
    patient_id TEXT NOT NULL,
    -- When the first film came, and when the patient was randomized or excluded.
    first_film_at BIGINT NOT NULL,
    at BIGINT NOT NULL,
    -- Why not randomized; empty for who was.
    excluded TEXT NOT NULL,
    -- The number among the randomized, from 1; 0 for who was not.
    seq BIGINT NOT NULL,
    stratum TEXT NOT NULL,
    -- The place in the stratum's sequence, from 0.
    place BIGINT NOT NULL,
    -- `shown`, `withheld`; empty for who was not randomized.
    arm TEXT NOT NULL,
    -- Before the trial's end: the results were shown, or the patient left. 0 where not.
    unblinded_at BIGINT NOT NULL,
    withdrawn_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    -- Whether the audit log has the randomization.
    is_recorded BIGINT NOT NULL,
    UNIQUE (trial_id, patient_id)
);

-- A film of a randomized patient that was read while the trial ran.
CREATE TABLE trial_film (
    film_id BIGINT PRIMARY KEY,
    patient BIGINT NOT NULL REFERENCES trial_patient (id) ON DELETE CASCADE,
    received_at BIGINT NOT NULL,
    read_at BIGINT NOT NULL,
    is_positive BIGINT NOT NULL,
    prediction TEXT NOT NULL,
    -- The withheld result with its objects, as JSON: nothing of it is in any other table. Empty once it is shown.
    sealed TEXT NOT NULL
);
CREATE INDEX trial_film_patient ON trial_film (patient, film_id);

-- Patients who do not take part.
CREATE TABLE trial_opt_out (
    trial_id BIGINT NOT NULL REFERENCES trial (id) ON DELETE CASCADE,
    patient_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (trial_id, patient_id)
);

-- When a person opened a film of the trial for the first time.
CREATE TABLE trial_opening (
    film_id BIGINT NOT NULL,
    person_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (film_id, person_id)
);

-- Final diagnoses: the last one of a patient counts.
CREATE TABLE trial_diagnosis (
    id {id},
    patient BIGINT NOT NULL REFERENCES trial_patient (id) ON DELETE CASCADE,
    -- YYYY-MM-DD.
    day TEXT NOT NULL,
    is_fracture BIGINT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    at BIGINT NOT NULL,
    person_id BIGINT NOT NULL
);
CREATE INDEX trial_diagnosis_patient ON trial_diagnosis (patient, id);
