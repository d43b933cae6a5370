-- Each sentence of a skilled activity's description, visit by visit: whose it is, of which patient, and how many words
-- it has. Numbers stand for all of them: a clinic's sentences are compared with each other.
WITH author AS (
    SELECT
        series,
        visit_number,
        hash(patient_id) AS patient_key,
        hash(clinician_npi) AS clinician_key
    FROM description
    WHERE clinician_npi IS NOT NULL
),

told AS NOT MATERIALIZED (
    SELECT
        author.series,
        author.visit_number,
        author.patient_key,
        author.clinician_key,
        unnest(string_split(description_text.letters, chr(1))) AS letters,
        unnest(description_text.sentence_words) AS words
    FROM description_text
    INNER JOIN author
        ON description_text.series = author.series AND description_text.visit_number = author.visit_number
)

SELECT
    series,
    visit_number,
    patient_key,
    clinician_key,
    hash(letters) AS sentence_key,
    words
FROM told
-- Past the end of the text there are words of nothing.
WHERE letters <> ''
