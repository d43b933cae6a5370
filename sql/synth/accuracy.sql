-- Findings against the truth about a synthetic clinic, per rule: planted, found, missed, and found without cause.
-- A truth row fits a finding of its rule on its line, on its visit, within 14 days in its episode of care, or on the
-- clinician, the clinician's day, the patient's year, the remittance or its claim that the finding's facts name.
WITH truth AS (
    SELECT
        *,
        row_number() OVER (
            ORDER BY
                rule,
                kind,
                patient_id,
                service_date,
                discipline,
                claim_id,
                claim_line_number,
                clinician_npi,
                year,
                pool,
                remittance_id
        ) AS truth_id
    FROM read_csv(
        $truth_csv,
        header = TRUE,
        auto_detect = FALSE,
        columns = {
            'rule': 'VARCHAR', 'grain': 'VARCHAR', 'patient_id': 'VARCHAR', 'service_date': 'DATE',
            'discipline': 'VARCHAR', 'claim_id': 'VARCHAR', 'claim_line_number': 'INTEGER',
            'clinician_npi': 'VARCHAR', 'year': 'INTEGER', 'pool': 'VARCHAR', 'remittance_id': 'VARCHAR',
            'kind': 'VARCHAR'
        }
    )
),

fit AS (
    SELECT
        truth.truth_id,
        truth.kind,
        finding.finding_id
    FROM truth
    INNER JOIN finding
        ON
            truth.rule = finding.rule
            AND truth.patient_id = finding.patient_id
            AND CASE truth.grain
                WHEN 'line'
                    THEN truth.claim_id = finding.claim_id AND truth.claim_line_number = finding.claim_line_number
                WHEN 'visit'
                    THEN truth.service_date = finding.service_date
                        AND coalesce(truth.discipline = finding.discipline, TRUE)
                WHEN 'patient_year'
                    THEN truth.year = (finding.facts ->> 'year')::INTEGER AND truth.pool = (finding.facts ->> 'pool')
                WHEN 'remittance_line' THEN FALSE
                ELSE abs(truth.service_date - finding.service_date) <= 14
                    AND coalesce(truth.discipline = finding.discipline, TRUE)
            END
    UNION ALL
    SELECT
        truth.truth_id,
        truth.kind,
        finding.finding_id
    FROM truth
    INNER JOIN finding
        ON
            truth.rule = finding.rule
            AND truth.clinician_npi = (finding.facts ->> 'clinician_npi')
            AND (truth.grain = 'clinician' OR truth.service_date = finding.service_date)
    WHERE truth.grain IN ('clinician', 'clinician_day')
    UNION ALL
    SELECT
        truth.truth_id,
        truth.kind,
        finding.finding_id
    FROM truth
    INNER JOIN finding
        ON
            truth.rule = finding.rule
            AND truth.remittance_id = (finding.facts ->> 'remittance_id')
            AND (truth.grain = 'remittance' OR truth.claim_id = finding.claim_id)
    WHERE truth.grain IN ('remittance', 'remittance_line')
),

judged_truth AS (
    SELECT
        truth.rule,
        count(*) FILTER (truth.kind = 'fault') AS planted,
        count(*) FILTER (truth.kind = 'fault' AND hit.truth_id IS NOT NULL) AS found,
        count(*) FILTER (truth.kind = 'near_miss') AS near_misses,
        count(*) FILTER (truth.kind = 'near_miss' AND hit.truth_id IS NOT NULL) AS near_misses_flagged
    FROM truth
    LEFT JOIN (SELECT DISTINCT truth_id FROM fit) AS hit ON truth.truth_id = hit.truth_id
    GROUP BY truth.rule
),

judged_finding AS (
    SELECT
        finding.rule,
        count(*) FILTER (explained.is_fault) AS right_findings,
        count(*) FILTER (explained.finding_id IS NULL) AS false_findings
    FROM finding
    LEFT JOIN (
        SELECT
            finding_id,
            bool_or(kind = 'fault') AS is_fault
        FROM fit
        WHERE kind <> 'near_miss'
        GROUP BY finding_id
    ) AS explained ON finding.finding_id = explained.finding_id
    GROUP BY finding.rule
)

SELECT
    coalesce(judged_truth.rule, judged_finding.rule) AS rule,
    coalesce(planted, 0) AS planted,
    coalesce(found, 0) AS found,
    coalesce(planted - found, 0) AS missed,
    coalesce(false_findings, 0) AS "false",
    coalesce(near_misses, 0) AS near_misses,
    coalesce(near_misses_flagged, 0) AS near_misses_flagged,
    right_findings / nullif(right_findings + false_findings, 0) AS precision,
    found / nullif(planted, 0) AS recall
FROM judged_truth
FULL JOIN judged_finding ON judged_truth.rule = judged_finding.rule
ORDER BY rule
