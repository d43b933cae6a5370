-- The sentences of a skilled activity's description that are the clinician's own, numbers, dates and pronouns levelled:
-- no headings and phrases of a few words, and nothing that a second clinician writes too, of another patient. Where one
-- clinician wrote everything, nothing can be told from others' use: then all of it. Only of visits with a sentence that
-- another patient's note has too: the rest is nobody's copy.
WITH practice AS (
    SELECT coalesce(min(clinician_npi) = max(clinician_npi), FALSE) AS one_clinician FROM description_day
),

sentence AS MATERIALIZED (
    SELECT *
    FROM told_sentence
    WHERE words >= 4 OR (SELECT one_clinician FROM practice)
),

-- Most sentences are one patient's.
repeated AS MATERIALIZED (
    SELECT sentence_key
    FROM sentence
    GROUP BY sentence_key
    HAVING min(patient_key) < max(patient_key)
),

-- Whose the sentence is, of each patient. A colleague who stands in for a patient, and copies, makes no template.
used AS (
    SELECT
        sentence.sentence_key,
        sentence.patient_key,
        CASE
            WHEN min(sentence.clinician_key) = max(sentence.clinician_key) THEN min(sentence.clinician_key)
        END AS clinician_key
    FROM sentence
    INNER JOIN repeated ON sentence.sentence_key = repeated.sentence_key
    GROUP BY sentence.sentence_key, sentence.patient_key
),

common AS (
    SELECT sentence_key
    FROM used
    GROUP BY sentence_key
    HAVING min(clinician_key) < max(clinician_key)
),

visit AS (
    SELECT DISTINCT
        sentence.series,
        sentence.visit_number
    FROM sentence
    INNER JOIN repeated ON sentence.sentence_key = repeated.sentence_key
)

SELECT DISTINCT
    sentence.*,
    practice.one_clinician
FROM sentence
INNER JOIN visit ON sentence.series = visit.series AND sentence.visit_number = visit.visit_number
CROSS JOIN practice
LEFT JOIN common ON sentence.sentence_key = common.sentence_key
WHERE practice.one_clinician OR common.sentence_key IS NULL
