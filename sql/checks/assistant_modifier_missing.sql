-- Units that an assistant furnished, in whole or by more than 10 %, carry CQ (with GP) or CO (with GO).
-- The code's units of a day, and how many of them each way of reckoning gives to the assistant.
WITH code AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        plan,
        hcpcs_code,
        any_value(timed) AS timed,
        any_value(sole_giver) AS sole_giver,
        any_value(assistant_minutes) AS assistant_minutes,
        any_value(documented_minutes - assistant_minutes) AS therapist_minutes,
        sum(units)::INTEGER AS units,
        coalesce(sum(units) FILTER (assistant_modifier_count > 0), 0)::INTEGER AS units_marked
    FROM in_scope($rule)
    WHERE
        discipline IN ('PT', 'OT')
        AND NOT evaluation
        AND giver_known
        AND (assistant_minutes > 0 OR sole_giver = 'assistant')
    GROUP BY patient_id, service_date, discipline, plan, hcpcs_code
),

shared AS (
    SELECT
        code.*,
        CASE
            WHEN sole_giver = 'assistant' THEN {'due': units, 'least': units, 'most': units}
            WHEN timed THEN assistant_units(therapist_minutes, assistant_minutes, units, parameter.value = 1)
            ELSE assistant_units_untimed(therapist_minutes, assistant_minutes, units)
        END AS share
    FROM code
    INNER JOIN parameter
        ON
            parameter.name = $midpoint
            AND code.service_date BETWEEN parameter.effective_from AND parameter.effective_to
)
,

line AS (
    SELECT
        line.claim_id,
        line.claim_line_number,
        line.line_amount,
        line.units,
        shared.* EXCLUDE (units),
        shared.units AS code_units,
        shared.share.due - shared.units_marked AS units_missing,
        -- Only as many lines as it takes.
        coalesce(sum(line.units) OVER (
            PARTITION BY line.patient_id, line.service_date, line.discipline, line.plan, line.hcpcs_code
            ORDER BY line.units DESC, line.claim_id, line.claim_line_number
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS units_before
    FROM in_scope($rule) AS line
    INNER JOIN shared
        ON
            line.patient_id = shared.patient_id
            AND line.service_date = shared.service_date
            AND line.discipline = shared.discipline
            AND line.plan IS NOT DISTINCT FROM shared.plan
            AND line.hcpcs_code = shared.hcpcs_code
    WHERE shared.units_marked < shared.share.due AND line.assistant_modifier_count = 0 AND line.units > 0
)

SELECT
    line.claim_id,
    line.claim_line_number,
    line.line_amount * least(line.units_missing - line.units_before, line.units) / line.units * reduction.value
        AS amount_at_risk,
    CASE WHEN line.units_marked < line.share.least THEN 'error' ELSE 'warning' END AS severity,
    line.hcpcs_code,
    CASE
        WHEN line.therapist_minutes IS NULL THEN 'the ' || line.sole_giver || ' gave it'
        ELSE 'the therapist gave ' || line.therapist_minutes || ' minutes and an assistant ' || line.assistant_minutes
    END AS who,
    line.code_units,
    line.therapist_minutes,
    line.assistant_minutes,
    line.share.due AS units_due,
    line.units_marked,
    CASE line.discipline WHEN 'PT' THEN 'CQ' ELSE 'CO' END AS modifier
FROM line
INNER JOIN parameter AS reduction
    ON reduction.name = $reduction AND line.service_date BETWEEN reduction.effective_from AND reduction.effective_to
WHERE line.units_before < line.units_missing
