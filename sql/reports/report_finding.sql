-- Each finding with what its reader needs beside it: the rule's words, the clinician's name, the month, and the part of
-- its amount that counts in totals. A line's dollars count once per direction: with the finding that puts most at risk;
-- and the findings of a patient's day put no more at risk than the day's lines are worth. An episode's finding speaks
-- of several days. Its place is its rank in the report: the largest amounts first.
CREATE OR REPLACE TEMP TABLE report_finding AS
WITH counted AS (
    SELECT
        finding.*,
        finding.direction = 'underpayment' OR (finding.direction = 'overpayment' AND finding.severity <> 'info')
            AS counts,
        finding.direction = 'overpayment' AND rule.grain IN ('line', 'visit') AS of_day,
        rule.title,
        rule.remedy,
        rule."references" AS sources
    FROM finding
    LEFT JOIN rule ON finding.rule = rule.rule
),

once AS (
    SELECT
        *,
        CASE
            WHEN
                counts
                AND row_number() OVER (
                    PARTITION BY claim_id, claim_line_number, direction, counts
                    ORDER BY amount_at_risk DESC, finding_id
                ) = 1
                THEN amount_at_risk
            ELSE 0.00
        END AS line_amount_at_risk
    FROM counted
),

day AS (
    SELECT
        therapy_line.patient_id,
        therapy_line.service_date,
        sum(therapy_line.line_amount) AS amount
    FROM therapy_line
    SEMI JOIN once
        ON therapy_line.patient_id = once.patient_id AND therapy_line.service_date = once.service_date
    GROUP BY therapy_line.patient_id, therapy_line.service_date
),

capped AS (
    SELECT
        once.*,
        greatest(
            day.amount - coalesce(sum(once.line_amount_at_risk) OVER (
                PARTITION BY once.patient_id, once.service_date, once.of_day
                ORDER BY once.line_amount_at_risk DESC, once.finding_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ), 0.00), 0.00
        ) AS day_amount_left
    FROM once
    LEFT JOIN day ON once.patient_id = day.patient_id AND once.service_date = day.service_date
)

SELECT
    capped.* EXCLUDE (counts, of_day, line_amount_at_risk, day_amount_left, title, remedy, sources),
    CASE
        WHEN capped.of_day THEN least(capped.line_amount_at_risk, capped.day_amount_left)
        ELSE capped.line_amount_at_risk
    END::DECIMAL(12, 2) AS exposure_amount,
    CASE capped.severity WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END AS severity_rank,
    row_number() OVER (
        ORDER BY
            capped.amount_at_risk DESC,
            CASE capped.severity WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END,
            capped.finding_id
    ) AS place,
    strftime(capped.service_date, '%Y-%m') AS month,
    provider.provider_name,
    capped.title,
    capped.remedy,
    array_to_string(
        list_transform(
            capped.sources::JSON[],
            lambda entry: concat_ws(' ', entry ->> 'title', '<' || (entry ->> 'href') || '>')
        ),
        '; '
    ) AS citation
FROM capped
LEFT JOIN provider ON capped.rendering_npi = provider.npi
