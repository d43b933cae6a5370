-- Units past the medically unlikely edit: of a line where the edit is by line, of the day where it is by day.
WITH line AS (
    SELECT
        line.claim_id,
        line.claim_line_number,
        line.patient_id,
        line.service_date,
        coalesce(line.billing_npi, '') AS billing_npi,
        line.setting,
        line.hcpcs_code,
        line.units,
        mue.units AS units_allowed,
        mue.adjudication_indicator
    FROM in_scope($rule) AS line
    INNER JOIN mue
        ON
            line.hcpcs_code = mue.hcpcs_code
            AND line.setting = mue.setting
            AND line.service_date BETWEEN mue.effective_from AND mue.effective_to
),

-- Few days hold more than their edit allows: only these are gone through line by line.
day AS (
    SELECT
        patient_id,
        service_date,
        billing_npi,
        setting,
        hcpcs_code
    FROM line
    GROUP BY patient_id, service_date, billing_npi, setting, hcpcs_code
    HAVING sum(units) > any_value(units_allowed)
),

running AS (
    SELECT
        line.*,
        sum(line.units) OVER (
            PARTITION BY line.patient_id, line.service_date, line.billing_npi, line.setting, line.hcpcs_code
            ORDER BY line.claim_id, line.claim_line_number
        ) AS day_units
    FROM line
    SEMI JOIN day USING (patient_id, service_date, billing_npi, setting, hcpcs_code)
),

judged AS (
    SELECT
        *,
        CASE adjudication_indicator WHEN 1 THEN units ELSE day_units END - units_allowed AS units_over
    FROM running
)

SELECT
    claim_id,
    claim_line_number,
    least(units_over, units) AS units_at_stake,
    CASE adjudication_indicator WHEN 3 THEN 'warning' ELSE 'error' END AS severity,
    hcpcs_code,
    units,
    day_units,
    units_allowed,
    adjudication_indicator,
    CASE adjudication_indicator WHEN 1 THEN 'on one line' ELSE 'on one day' END AS counted,
    setting
FROM judged
WHERE units_over > 0 AND units > 0
