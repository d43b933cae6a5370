-- Group therapy takes the clinician's constant attendance, one-on-one therapy the clinician for one patient alone: the
-- same minutes are not both, for one patient or across a clinician's patients.
SELECT
    claim_id,
    claim_line_number,
    hcpcs_code,
    group_minutes,
    least(own_minutes, group_minutes) AS own_minutes,
    least(others_minutes, group_minutes) AS others_minutes,
    others AS other_patients,
    clinician_npi,
    concat(
        if(
            own_minutes > 0,
            format('; for {} of them the patient was one-on-one', least(own_minutes, group_minutes)),
            ''
        ),
        if(
            others_minutes > 0,
            format(
                '; for {} of them the clinician was one-on-one with {} other patient{}',
                least(others_minutes, group_minutes), others, if(others = 1, '', 's')
            ),
            ''
        )
    ) AS shared
FROM group_sessions_in_scope($rule)
WHERE own_minutes + others_minutes > 0
