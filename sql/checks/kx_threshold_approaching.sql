-- Patients whose year is near the KX threshold and not past it, with the visits left at the pace of their last ones.
SELECT
    year.claim_id,
    year.claim_line_number,
    year.year,
    year.pool,
    year.balance,
    year.threshold,
    round(100 * year.balance / year.threshold)::INTEGER AS percent_of_threshold,
    year.opening_balance,
    year.visits,
    year.amount_per_visit,
    year.visits_left,
    year.expected_crossing_date,
    CASE
        WHEN year.visits_left = 1 THEN 'at the current pace the next visit passes it'
        ELSE coalesce(
            'at the current pace visit ' || year.visits_left || ' from here passes it', 'the pace is not known'
        )
    END
    || coalesce(' (about ' || year.expected_crossing_date || ')', '') AS pace,
    year.amounts_expected,
    expected_in_words(year.amounts_expected, year.amounts_stale) AS basis
FROM patient_years_in_scope($rule) AS year
INNER JOIN parameter
    ON parameter.name = $share AND year.service_date BETWEEN parameter.effective_from AND parameter.effective_to
WHERE
    year.goes_on
    AND year.balance >= year.threshold * parameter.value
    AND year.balance <= year.threshold
    AND year.balance_known
