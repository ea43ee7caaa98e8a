-- The language that a person has set for the pages, by its tag (BCP 47); empty where the browser decides.
ALTER TABLE person ADD COLUMN language TEXT NOT NULL DEFAULT '';
