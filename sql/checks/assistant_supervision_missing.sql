-- In a private practice a therapist was in the office while an assistant treated, until 2024; from 2025, and in
-- institutions always, it is enough that one can be reached, which claims do not show. A student's service is the
-- therapist's only where a therapist signed for it.
SELECT
    claim_id,
    claim_line_number,
    CASE
        WHEN by_student_alone THEN [stake(service_date, NULL, NULL)]
        ELSE list_transform(assistant_codes, lambda code: stake(service_date, code, NULL))
    END AS at_stake,
    discipline,
    CASE
        WHEN by_student_alone THEN 'A student gave the visit, and no therapist signed for it'
        ELSE
            'An assistant treated in a private practice, and no ' || discipline
            || ' therapist of the group worked there that day'
    END AS fault
FROM supervised_days_in_scope($rule)
WHERE
    is_judged
    AND (
        by_student_alone
        OR (by_assistant AND direct_supervision AND NOT therapist_present AND NOT supervisor_named)
    )
