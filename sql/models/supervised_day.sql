-- Each visit that an assistant or a student gave in part or whole, as billed to one plan: which supervision its date
-- and place ask for, and whether a therapist of the discipline worked for the same group, at the same kind of place,
-- that day. Without a billing number all claims are one group's.
WITH line AS (
    SELECT
        line_id,
        patient_id,
        discipline,
        service_date,
        plan,
        coalesce(billing_npi, '') AS billing_npi,
        coalesce(place_of_service, '') AS place_of_service,
        CASE WHEN place_of_service IS NOT NULL THEN setting END AS setting,
        hcpcs_code,
        second_bill,
        claim_id,
        claim_line_number,
        assistant_may_treat
        AND (
            assistant_modifier_count > 0
            OR coalesce(sole_giver = 'assistant', FALSE)
            OR coalesce(assistant_minutes > 0, FALSE)
        ) AS by_assistant
    FROM therapy_line
    WHERE therapy
),

-- Days of the groups, with who worked.
worked AS (
    SELECT DISTINCT
        billing_npi,
        place_of_service,
        discipline,
        service_date,
        patient_id
    FROM line
),

presence AS (
    SELECT
        worked.billing_npi,
        worked.place_of_service,
        worked.discipline,
        worked.service_date,
        -- One visit of which nobody knows who gave it may have been a therapist's.
        CASE
            WHEN bool_or(day.therapist_took_part) THEN TRUE
            WHEN count(day.therapist_took_part) = count(*) THEN FALSE
        END AS therapist_present
    FROM worked
    INNER JOIN treatment_day AS day
        ON
            worked.patient_id = day.patient_id
            AND worked.discipline = day.discipline
            AND worked.service_date = day.service_date
    GROUP BY worked.billing_npi, worked.place_of_service, worked.discipline, worked.service_date
),

visit_of AS (
    SELECT
        line.patient_id,
        line.discipline,
        line.service_date,
        line.plan,
        min({'claim_id': line.claim_id, 'claim_line_number': line.claim_line_number}) AS first_line,
        min({'claim_id': line.claim_id, 'claim_line_number': line.claim_line_number}) FILTER (line.by_assistant)
            AS assistant_line,
        list(DISTINCT line.hcpcs_code ORDER BY line.hcpcs_code) FILTER (line.by_assistant) AS assistant_codes,
        min(line.billing_npi) AS billing_npi,
        min(line.place_of_service) AS place_of_service,
        min(line.setting) AS setting,
        coalesce(bool_or(line.by_assistant), FALSE) AS by_assistant
    FROM line
    WHERE NOT line.second_bill
    GROUP BY line.patient_id, line.discipline, line.service_date, line.plan
),

-- Where the place is not known, direct supervision may be asked for or not.
supervision AS (
    SELECT
        key AS setting,
        effective_from,
        effective_to,
        value = 1 AS is_direct
    FROM parameter
    WHERE name = 'medicare.assistant_direct_supervision'
    UNION ALL
    SELECT
        'unknown',
        effective_from,
        effective_to,
        CASE WHEN value = 0 THEN FALSE END
    FROM parameter
    WHERE name = 'medicare.assistant_direct_supervision' AND key = 'practitioner'
),

-- Named on the claim: somebody answers for the supervision.
supervisor AS (
    SELECT DISTINCT
        current_line.patient_id,
        current_line.service_date
    FROM current_line
    WHERE current_line.supervising_npi IS NOT NULL
)

SELECT
    visit_of.patient_id,
    visit_of.discipline,
    visit_of.service_date,
    visit_of.plan,
    coalesce(visit_of.assistant_line, visit_of.first_line).claim_id AS claim_id,
    coalesce(visit_of.assistant_line, visit_of.first_line).claim_line_number AS claim_line_number,
    visit_of.assistant_codes,
    visit_of.by_assistant,
    coalesce(note_day.by_student, FALSE) AS by_student,
    coalesce(note_day.by_student_alone AND note_day.therapist_took_part IS DISTINCT FROM TRUE, FALSE)
        AS by_student_alone,
    CASE
        WHEN
            note_day.by_student_alone
            OR supervisor.patient_id IS NOT NULL
            OR presence.therapist_present
            OR (presence.therapist_present IS NOT NULL AND supervision.is_direct IS NOT NULL)
            OR NOT supervision.is_direct
            THEN TRUE
    END AS is_judged,
    presence.therapist_present,
    supervisor.patient_id IS NOT NULL AS supervisor_named,
    supervision.is_direct AS direct_supervision
FROM visit_of
LEFT JOIN note_day
    ON
        visit_of.patient_id = note_day.patient_id
        AND visit_of.discipline = note_day.discipline
        AND visit_of.service_date = note_day.service_date
LEFT JOIN presence
    ON
        visit_of.billing_npi = presence.billing_npi
        AND visit_of.place_of_service = presence.place_of_service
        AND visit_of.discipline = presence.discipline
        AND visit_of.service_date = presence.service_date
LEFT JOIN supervision
    ON
        coalesce(visit_of.setting, 'unknown') = supervision.setting
        AND visit_of.service_date BETWEEN supervision.effective_from AND supervision.effective_to
LEFT JOIN supervisor
    ON visit_of.patient_id = supervisor.patient_id AND visit_of.service_date = supervisor.service_date
WHERE visit_of.by_assistant OR note_day.by_student
