-- Each billed therapy line rests on a note of that patient, day and discipline.
WITH unsupported AS (
    SELECT
        line.claim_id,
        line.claim_line_number,
        line.patient_id,
        line.service_date,
        line.hcpcs_code,
        line.discipline
    FROM in_scope($rule) AS line
    -- A note dated a day off is a fault of its own.
    LEFT JOIN date_slip
        ON
            line.line_id = date_slip.line_id
            AND date_slip.is_documented
            AND date_slip.match_key <> 'day in another discipline'
    WHERE line.therapy AND line.notes_given AND line.note_id IS NULL AND date_slip.line_id IS NULL
)

SELECT
    unsupported.claim_id,
    unsupported.claim_line_number,
    unsupported.hcpcs_code,
    unsupported.discipline,
    coalesce(
        '; that day has a note of ' || string_agg(note_day.discipline, ', ' ORDER BY note_day.discipline) || ' only', ''
    ) AS other_note
FROM unsupported
LEFT JOIN note_day USING (patient_id, service_date)
GROUP BY
    unsupported.claim_id,
    unsupported.claim_line_number,
    unsupported.hcpcs_code,
    unsupported.discipline
