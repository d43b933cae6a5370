-- A patient's calendar year in one pool of the KX threshold, as it stands after the last line of the audited period:
-- what is used, the line that passed the threshold or, at the pace of the last visits, how many are left until then.
WITH as_of AS (
    SELECT
        make_date(year(audit_period.period_start), 1, 1) AS first_date,
        audit_period.period_end,
        -- The period may go on after the last claim given.
        least(audit_period.period_end, max(therapy_line.service_date)) AS last_date
    FROM audit_period
    CROSS JOIN therapy_line
    GROUP BY audit_period.period_start, audit_period.period_end
),

ledger AS (
    SELECT
        kx_ledger.*,
        review.value::DECIMAL(12, 2) AS medical_review_threshold,
        {'accrual_date': kx_ledger.accrual_date, 'claim_id': kx_ledger.claim_id, 'number': kx_ledger.claim_line_number}
            AS place
    FROM kx_ledger
    INNER JOIN as_of ON kx_ledger.service_date BETWEEN as_of.first_date AND as_of.period_end
    LEFT JOIN parameter AS review
        ON
            review.name = 'medicare.medical_review_threshold'
            AND kx_ledger.pool = review.key
            AND kx_ledger.service_date BETWEEN review.effective_from AND review.effective_to
),

treatment_day AS (
    SELECT
        patient_id,
        year,
        pool,
        plan,
        service_date,
        sum(allowed_amount)::DECIMAL(18, 2) AS amount,
        count(*) - count(allowed_amount) AS unknown,
        count(*) FILTER (WHERE amount_source IN ('fee_schedule', 'fee_schedule_stale')) AS expected,
        count(*) FILTER (WHERE amount_source = 'fee_schedule_stale') AS stale,
        count(*) FILTER (WHERE balance_before >= threshold) AS lines_past,
        count(*) FILTER (WHERE balance_before >= threshold AND NOT has_kx) AS lines_past_without_kx,
        max(opening_balance) AS opening_balance,
        max(threshold) AS threshold,
        max(medical_review_threshold) AS medical_review_threshold,
        max({'claim_id': claim_id, 'number': claim_line_number}) AS last_line,
        min(place) FILTER (WHERE balance_before <= threshold AND balance_after > threshold) AS crossing,
        -- Where other providers' therapy is past the amount already, the year's first line stands for the rest.
        min(place) FILTER (
            WHERE
                balance_after > medical_review_threshold
                AND (balance_before <= medical_review_threshold OR balance_before = opening_balance)
        ) AS review
    FROM ledger
    GROUP BY patient_id, year, pool, plan, service_date
),

total AS (
    SELECT
        patient_id,
        year,
        pool,
        plan,
        max(service_date) AS service_date,
        arg_max(last_line, service_date) AS last_line,
        min(crossing) AS crossing,
        arg_min(service_date, crossing) FILTER (WHERE crossing IS NOT NULL) AS crossing_date,
        min(review) AS review,
        arg_min(service_date, review) FILTER (WHERE review IS NOT NULL) AS review_date,
        max(opening_balance) AS opening_balance,
        (max(opening_balance) + coalesce(sum(amount), 0.00))::DECIMAL(18, 2) AS balance,
        arg_max(threshold, service_date) AS threshold,
        arg_max(medical_review_threshold, service_date) AS medical_review_threshold,
        count(*) AS visits,
        sum(unknown) AS amounts_unknown,
        sum(expected) AS amounts_expected,
        sum(stale) AS amounts_stale,
        sum(lines_past) AS lines_past,
        sum(lines_past_without_kx) AS lines_past_without_kx,
        -- The pace is that of the last visits: up to six, and of these the ones whose amount is known.
        max(service_date, 6) AS last_dates,
        arg_max(amount, service_date, 6) FILTER (WHERE unknown = 0) AS last_amounts
    FROM treatment_day
    GROUP BY patient_id, year, pool, plan
),

paced AS (
    SELECT
        total.*,
        total.year = year(as_of.last_date) AS goes_on,
        as_of.last_date - total.service_date <= 30 AS in_therapy,
        (total.last_dates[1] - total.last_dates[-1]) / nullif(len(total.last_dates) - 1, 0) AS days_between_visits,
        list_sum(total.last_amounts) AS last_amount,
        len(total.last_amounts) AS last_visits
    FROM total
    CROSS JOIN as_of
),

ahead AS (
    SELECT
        *,
        -- The visit that passes the threshold is one of them; reckoned in cents.
        CASE
            WHEN goes_on AND balance <= threshold AND last_amount > 0
                THEN
                    (((threshold - balance) * 100)::BIGINT * last_visits // (last_amount * 100)::BIGINT + 1)::INTEGER
        END AS visits_left
    FROM paced
)

SELECT
    patient_id,
    year,
    pool,
    plan,
    service_date, -- of the last line
    last_line.claim_id,
    last_line.number AS claim_line_number,
    crossing.claim_id AS crossing_claim_id, -- null where nothing is past the threshold, or the opening balance was
    crossing.number AS crossing_claim_line_number,
    crossing_date,
    review.claim_id AS review_claim_id, -- the first line with which the amount of medical review is passed
    review.number AS review_claim_line_number,
    review_date,
    opening_balance,
    balance,
    threshold,
    medical_review_threshold,
    visits::INTEGER AS visits,
    lines_past::INTEGER AS lines_past,
    lines_past_without_kx::INTEGER AS lines_past_without_kx,
    round(last_amount / last_visits, 2)::DECIMAL(12, 2) AS amount_per_visit,
    round(days_between_visits, 1)::DECIMAL(6, 1) AS days_between_visits,
    goes_on, -- claims given reach no later year
    visits_left,
    -- Null where therapy seems to have ended, or the year ends first.
    CASE
        WHEN in_therapy AND service_date + round(visits_left * days_between_visits)::INTEGER <= make_date(year, 12, 31)
            THEN service_date + round(visits_left * days_between_visits)::INTEGER
    END AS expected_crossing_date,
    amounts_expected::INTEGER AS amounts_expected,
    amounts_stale::INTEGER AS amounts_stale,
    amounts_unknown > 0 AS is_lower_bound,
    CASE WHEN amounts_unknown = 0 THEN TRUE END AS balance_known,
    -- An amount known to be past is enough.
    CASE WHEN amounts_unknown = 0 OR balance > threshold THEN TRUE END AS crossing_known,
    CASE WHEN amounts_unknown = 0 OR balance > medical_review_threshold THEN TRUE END AS review_known
FROM ahead
