-- Lines of a day without a note, with the note that is theirs all the same: neither it nor its day is billed. It bears
-- the claim's number, or is dated a day off (clinic.date_slip_days), or is of the day but of another discipline; the
-- last two chart what was billed. Each day and each note is taken once, the best pair first.
WITH RECURSIVE lone_line AS (
    SELECT
        line_discipline.line_id,
        line_discipline.patient_id,
        line_discipline.discipline,
        line_discipline.service_date
    FROM line_discipline
    ANTI JOIN note_day
        ON
            line_discipline.patient_id = note_day.patient_id
            AND line_discipline.service_date = note_day.service_date
            AND line_discipline.discipline = note_day.discipline
    WHERE line_discipline.therapy AND line_discipline.discipline <> 'unknown'
),

lone_note AS (
    SELECT
        patient_id,
        discipline,
        service_date,
        note_id,
        services_coded,
        evaluates
    FROM note_day
    ANTI JOIN line_discipline
        ON
            note_day.patient_id = line_discipline.patient_id
            AND note_day.service_date = line_discipline.service_date
            AND note_day.discipline = line_discipline.discipline
            AND line_discipline.therapy
    WHERE discipline <> 'unknown'
),

billed AS (
    SELECT
        lone_line.line_id,
        lone_line.patient_id,
        lone_line.discipline,
        lone_line.service_date,
        current_line.claim_id,
        current_line.hcpcs_code,
        coalesce(procedure_code.evaluation, FALSE) AS evaluation
    FROM lone_line
    SEMI JOIN lone_note ON lone_line.patient_id = lone_note.patient_id
    INNER JOIN current_line ON lone_line.line_id = current_line.line_id
    LEFT JOIN procedure_code ON current_line.hcpcs_code = procedure_code.hcpcs_code
),

documented AS (
    SELECT
        lone_note.*,
        note_day_code.hcpcs_code
    FROM lone_note
    LEFT JOIN note_day_code
        ON
            lone_note.patient_id = note_day_code.patient_id
            AND lone_note.service_date = note_day_code.service_date
            AND lone_note.discipline = note_day_code.discipline
),

span AS (
    SELECT max(value)::INTEGER AS days
    FROM parameter
    WHERE name = 'clinic.date_slip_days'
),

-- Every line beside every service of the notes that may be its own.
beside AS (
    SELECT
        billed.*,
        documented.service_date AS note_date,
        documented.discipline AS note_discipline,
        documented.note_id,
        billed.claim_id = documented.note_id AS is_named,
        billed.hcpcs_code = documented.hcpcs_code
        OR (billed.evaluation AND documented.evaluates)
        OR documented.services_coded IS DISTINCT FROM TRUE AS is_documented,
        billed.hcpcs_code = documented.hcpcs_code OR (billed.evaluation AND documented.evaluates) AS has_code
    FROM billed
    CROSS JOIN span
    INNER JOIN documented
        ON
            billed.patient_id = documented.patient_id
            AND (
                billed.claim_id = documented.note_id
                OR (
                    billed.discipline = documented.discipline
                    AND abs(billed.service_date - documented.service_date) <= span.days
                )
                OR billed.service_date = documented.service_date
            )
),

scored AS (
    SELECT
        patient_id,
        discipline,
        service_date,
        note_discipline,
        note_date,
        bool_or(is_named) AS is_named,
        count(DISTINCT line_id) FILTER (has_code) AS lines_documented,
        bool_or(is_documented) AS is_documented
    FROM beside
    GROUP BY patient_id, discipline, service_date, note_discipline, note_date
    HAVING bool_or(is_named) OR bool_or(is_documented AND (has_code OR discipline = note_discipline))
),

candidate AS (
    SELECT
        patient_id,
        discipline,
        service_date,
        note_discipline,
        note_date,
        -- A note dated later than its bill is commoner than one dated before it.
        row_number() OVER (
            ORDER BY
                is_named DESC,
                discipline = note_discipline DESC,
                lines_documented DESC,
                abs(note_date - service_date),
                note_date > service_date DESC,
                patient_id,
                service_date,
                discipline,
                note_date,
                note_discipline
        ) AS place,
        dense_rank() OVER (ORDER BY patient_id, discipline, service_date) AS billed_number,
        dense_rank() OVER (ORDER BY patient_id, note_discipline, note_date) AS note_number
    FROM scored
),

turn AS (
    SELECT
        place,
        billed_number,
        note_number,
        FALSE AS chosen
    FROM candidate
    UNION ALL (
        WITH best AS (
            SELECT
                *,
                place = min(place) OVER (PARTITION BY billed_number)
                AND place = min(place) OVER (PARTITION BY note_number) AS is_best
            FROM turn
            WHERE NOT chosen
        ),

        settled AS (
            SELECT
                *,
                bool_or(is_best) OVER (PARTITION BY billed_number) OR bool_or(is_best) OVER (PARTITION BY note_number)
                    AS is_settled
            FROM best
        )

        SELECT
            place,
            billed_number,
            note_number,
            is_best AS chosen
        FROM settled
        WHERE is_best OR NOT is_settled
    )
),

chosen AS (
    SELECT candidate.*
    FROM candidate
    INNER JOIN turn ON candidate.place = turn.place AND turn.chosen
)

SELECT
    beside.line_id,
    beside.patient_id,
    beside.hcpcs_code,
    beside.note_discipline,
    beside.note_date,
    min(beside.note_id) AS note_id,
    bool_or(beside.has_code) AS has_code,
    bool_or(beside.is_documented) AS is_documented,
    CASE
        WHEN bool_or(beside.is_named) THEN 'note number'
        WHEN beside.discipline = beside.note_discipline THEN 'adjacent day'
        ELSE 'day in another discipline'
    END AS match_key
FROM chosen
INNER JOIN beside
    ON
        chosen.patient_id = beside.patient_id
        AND chosen.discipline = beside.discipline
        AND chosen.service_date = beside.service_date
        AND chosen.note_discipline = beside.note_discipline
        AND chosen.note_date = beside.note_date
GROUP BY
    beside.line_id, beside.patient_id, beside.hcpcs_code, beside.discipline, beside.note_discipline, beside.note_date
