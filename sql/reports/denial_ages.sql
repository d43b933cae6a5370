-- What is denied and open, by its age: days since the denial, as of the run's date or else the last payment.
WITH bucket (number, title, days_from, days_to) AS (
    VALUES
    (1, '0-30 days', 0, 30),
    (2, '31-60 days', 31, 60),
    (3, '61-90 days', 61, 90),
    (4, '91-180 days', 91, 180),
    (5, 'over 180 days', 181, 1000000)
),

-- An answer without a date counts as the oldest: nobody can say that it is recent.
unsettled AS (
    SELECT
        greatest(coalesce(age_days, 1000000), 0) AS age_days,
        open_amount,
        claim_id,
        claim_line_number
    FROM report_denial
    WHERE outcome = 'open'
)

SELECT
    bucket.title,
    count(unsettled.claim_id) AS denials,
    count(DISTINCT CASE
        WHEN unsettled.claim_id IS NOT NULL THEN (unsettled.claim_id, unsettled.claim_line_number)
    END) AS lines_denied,
    coalesce(sum(unsettled.open_amount), 0.00) AS open_amount
FROM bucket
LEFT JOIN unsettled ON unsettled.age_days BETWEEN bucket.days_from AND bucket.days_to
GROUP BY bucket.number, bucket.title
ORDER BY bucket.number
