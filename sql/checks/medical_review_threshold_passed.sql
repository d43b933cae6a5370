-- Above a yearly amount Medicare may choose claims for targeted medical review: the period in which it is passed.
SELECT
    year.review_claim_id AS claim_id,
    year.review_claim_line_number AS claim_line_number,
    year.year,
    year.pool,
    year.review_date AS passed_on,
    year.balance,
    year.medical_review_threshold,
    year.opening_balance,
    year.visits,
    year.amounts_expected,
    expected_in_words(year.amounts_expected, year.amounts_stale) AS basis
FROM patient_years_in_scope($rule) AS year
INNER JOIN audit_period ON year.review_date BETWEEN audit_period.period_start AND audit_period.period_end
