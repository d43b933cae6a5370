-- Each reference table that this run's lines needed, with its latest edition: whether it reaches over the whole period,
-- and how many findings rest on it on dates that it does not cover.
WITH latest AS (
    SELECT
        reference,
        setting,
        arg_max(edition, (covers_to, edition)) AS edition,
        min(covers_from) AS covers_from,
        max(covers_to) AS covers_to,
        arg_max(official_file, (covers_to, edition)) AS official_file
    FROM reference_edition
    GROUP BY reference, setting
),

line AS (
    SELECT setting FROM therapy_line
    INNER JOIN audit_period ON therapy_line.service_date BETWEEN audit_period.period_start AND audit_period.period_end
    GROUP BY setting
),

-- The fee schedule is asked only where neither claim nor remittance has an amount.
priced AS (
    SELECT bool_or(amount_source IN ('fee_schedule', 'fee_schedule_stale')) AS by_schedule FROM kx_ledger
),

needed AS (
    SELECT latest.*
    FROM latest
    CROSS JOIN priced
    WHERE
        CASE
            WHEN latest.setting IS NOT NULL THEN latest.setting IN (SELECT setting FROM line)
            WHEN latest.reference IN ('relative_value', 'gpci') THEN coalesce(priced.by_schedule, FALSE)
            ELSE TRUE
        END
),

resting AS (
    SELECT
        rule_reference.reference,
        therapy_line.setting,
        count(*) AS findings
    FROM report_finding AS finding
    INNER JOIN rule_reference ON finding.rule = rule_reference.rule
    INNER JOIN therapy_line
        ON finding.claim_id = therapy_line.claim_id AND finding.claim_line_number = therapy_line.claim_line_number
    WHERE finding.reference_state = 'stale_reference'
    GROUP BY rule_reference.reference, therapy_line.setting
)

SELECT
    concat_ws(
        ', ',
        CASE needed.reference
            WHEN 'ncci_pair' THEN 'NCCI pairs'
            WHEN 'mue' THEN 'MUE'
            WHEN 'gpci' THEN 'GPCI'
            ELSE replace(needed.reference, '_', ' ')
        END,
        needed.setting
    ) AS reference,
    needed.edition,
    needed.covers_from,
    needed.covers_to,
    needed.official_file,
    needed.covers_to < audit_period.period_end OR needed.covers_from > audit_period.period_start AS stale,
    coalesce(sum(resting.findings), 0)::BIGINT AS findings
FROM needed
CROSS JOIN audit_period
LEFT JOIN resting
    ON
        needed.reference = resting.reference
        AND (needed.setting IS NULL OR needed.setting = resting.setting)
GROUP BY ALL
ORDER BY stale DESC, findings DESC, reference
