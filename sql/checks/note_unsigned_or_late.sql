-- A treatment note is signed, with credentials, by who treated, and within the days that the clinic allows. What is
-- only late costs nothing by itself; what nobody signed may count as not given.
SELECT
    day.claim_id,
    day.claim_line_number,
    CASE
        WHEN day.notes_unsigned + day.notes_without_credential > 0 THEN [stake(day.service_date, NULL, NULL)]
        ELSE []
    END AS at_stake,
    day.notes_unsigned,
    day.notes_without_credential,
    day.days_to_sign,
    days.value::INTEGER AS days_allowed,
    CASE
        WHEN day.notes_unsigned > 0
            THEN
                CASE
                    WHEN day.notes = 1 THEN 'The note of the day is not signed'
                    ELSE day.notes_unsigned || ' of the ' || day.notes || ' notes of the day are not signed'
                END
        WHEN day.notes_without_credential > 0 THEN 'The note of the day names no credential of who signed it'
        ELSE
            'The note of the day was signed ' || day.days_to_sign || ' days after the visit; '
            || days.value::INTEGER || ' are allowed'
    END AS fault
FROM signed_days_in_scope($rule) AS day
INNER JOIN parameter AS days
    ON days.name = $days AND day.service_date BETWEEN days.effective_from AND days.effective_to
WHERE
    day.signatures_given
    AND (day.notes_unsigned > 0 OR day.notes_without_credential > 0 OR day.days_to_sign > days.value)
