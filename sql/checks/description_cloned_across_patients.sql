-- One clinician's notes of different patients share the same words, and the words are not the group's template: they
-- do not describe what each patient did. What is shared must be the same notes, not phrases put together anew: notes
-- are grouped by the longest of their shared sentences, and judged once more within the group.
WITH described AS (
    SELECT
        day.series,
        day.visit_number,
        day.patient_id,
        day.service_date,
        day.clinician_npi,
        day.note_id,
        day.claim_id,
        day.claim_line_number,
        day.discipline,
        day.hcpcs_code,
        text_words.value AS least_words,
        share.value AS least_share,
        patients.value AS least_patients
    FROM clinician_descriptions_in_scope($rule) AS day
    INNER JOIN parameter AS text_words
        ON
            text_words.name = $words
            AND day.service_date BETWEEN text_words.effective_from AND text_words.effective_to
    INNER JOIN parameter AS share
        ON share.name = $share AND day.service_date BETWEEN share.effective_from AND share.effective_to
    INNER JOIN parameter AS patients
        ON patients.name = $patients AND day.service_date BETWEEN patients.effective_from AND patients.effective_to
),

shared AS (
    SELECT
        clinician_key,
        sentence_key
    FROM description_sentence
    GROUP BY clinician_key, sentence_key
    HAVING count(DISTINCT patient_key) >= (SELECT min(value) FROM parameter WHERE name = $patients)
),

candidate AS (
    SELECT
        sentence.series,
        sentence.visit_number,
        any_value(sentence.one_clinician) AS one_clinician,
        sum(sentence.words) AS own_words,
        sum(sentence.words) FILTER (shared.sentence_key IS NOT NULL) AS shared_words,
        max({'words': sentence.words, 'sentence_key': sentence.sentence_key})
            FILTER (shared.sentence_key IS NOT NULL).sentence_key AS longest_key
    FROM description_sentence AS sentence
    LEFT JOIN shared
        ON sentence.clinician_key = shared.clinician_key AND sentence.sentence_key = shared.sentence_key
    GROUP BY sentence.series, sentence.visit_number
),

likely AS (
    SELECT
        described.*,
        candidate.own_words,
        candidate.longest_key,
        -- A clinician alone in the practice: (nearly) whole texts only.
        CASE WHEN candidate.one_clinician THEN greatest(described.least_share, 0.95) ELSE described.least_share END
            AS share_asked_for
    FROM candidate
    INNER JOIN described
        ON candidate.series = described.series AND candidate.visit_number = described.visit_number
    WHERE
        candidate.own_words >= described.least_words
        AND candidate.shared_words >= described.least_share * candidate.own_words
),

grouped AS (
    SELECT
        likely.*,
        sentence.sentence_key,
        sentence.words
    FROM likely
    INNER JOIN description_sentence AS sentence
        ON likely.series = sentence.series AND likely.visit_number = sentence.visit_number
),

shared_in_group AS (
    SELECT
        clinician_npi,
        longest_key,
        sentence_key
    FROM grouped
    GROUP BY clinician_npi, longest_key, sentence_key
    HAVING count(DISTINCT patient_id) >= max(least_patients)
),

cloned AS (
    SELECT
        grouped.clinician_npi,
        grouped.longest_key,
        grouped.series,
        grouped.visit_number,
        any_value(grouped.patient_id) AS patient_id,
        any_value(grouped.service_date) AS service_date,
        any_value(grouped.note_id) AS note_id,
        any_value(grouped.claim_id) AS claim_id,
        any_value(grouped.claim_line_number) AS claim_line_number,
        any_value(grouped.discipline) AS discipline,
        any_value(grouped.hcpcs_code) AS hcpcs_code,
        any_value(grouped.least_patients) AS least_patients
    FROM grouped
    INNER JOIN shared_in_group
        ON
            grouped.clinician_npi = shared_in_group.clinician_npi
            AND grouped.longest_key = shared_in_group.longest_key
            AND grouped.sentence_key = shared_in_group.sentence_key
    GROUP BY grouped.clinician_npi, grouped.longest_key, grouped.series, grouped.visit_number
    HAVING sum(grouped.words) >= any_value(grouped.share_asked_for) * any_value(grouped.own_words)
),

alike AS (
    SELECT
        *,
        count(DISTINCT patient_id) OVER (PARTITION BY clinician_npi, longest_key) AS patients
    FROM cloned
),

clinician AS (
    SELECT
        clinician_npi,
        count(DISTINCT patient_id) AS patients,
        count(DISTINCT note_id) AS notes,
        list(
            stake_of_patient(patient_id, service_date, discipline, hcpcs_code)
            ORDER BY stake_of_patient(patient_id, service_date, discipline, hcpcs_code)
        ) AS at_stake,
        min({'service_date': service_date, 'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_line
    FROM alike
    WHERE patients >= least_patients
    GROUP BY clinician_npi
),

written AS (
    SELECT
        clinician_npi,
        count(DISTINCT note_id) AS notes
    FROM clinician_descriptions_in_scope($rule)
    WHERE text_key IS NOT NULL AND clinician_npi IN (SELECT clinician_npi FROM clinician)
    GROUP BY clinician_npi
)

SELECT
    clinician.first_line.claim_id,
    clinician.first_line.claim_line_number,
    clinician.at_stake,
    clinician.clinician_npi,
    clinician.patients,
    clinician.notes,
    floor(100 * clinician.notes / written.notes)::INTEGER AS percent
FROM clinician
INNER JOIN written ON clinician.clinician_npi = written.clinician_npi
