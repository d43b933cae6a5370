-- Each finding of the earlier or the later run with what became of it. One that is not found any more is resolved only
-- where the later run looked: its day in the period, its claim given, by the same rule, terms and reference tables, and
-- able to judge. A finding that review dismissed is silent: it counts as not there.
CREATE OR REPLACE TEMP TABLE finding_change AS
WITH period AS (
    SELECT
        max(period_start) FILTER (WHERE role = 'old') AS old_start,
        max(period_end) FILTER (WHERE role = 'old') AS old_end,
        max(period_start) FILTER (WHERE role = 'new') AS new_start,
        max(period_end) FILTER (WHERE role = 'new') AS new_end
    FROM compare_run
),

old_finding AS (
    SELECT compare_finding.*
    FROM compare_finding
    INNER JOIN compare_run ON compare_finding.run_number = compare_run.run_number
    WHERE compare_run.role = 'old'
),

new_finding AS (
    SELECT compare_finding.*
    FROM compare_finding
    INNER JOIN compare_run ON compare_finding.run_number = compare_run.run_number
    WHERE compare_run.role = 'new'
),

-- The last of the runs before that told a finding that the earlier run does not have.
seen AS (
    SELECT
        compare_finding.finding_id,
        max(compare_finding.run_number) AS seen_in
    FROM compare_finding
    INNER JOIN compare_run ON compare_finding.run_number = compare_run.run_number
    SEMI JOIN new_finding ON compare_finding.finding_id = new_finding.finding_id
    ANTI JOIN old_finding ON compare_finding.finding_id = old_finding.finding_id
    WHERE compare_run.role = 'earlier' AND NOT compare_finding.is_silent
    GROUP BY compare_finding.finding_id
),

-- Whether a run after that one looked at its day, and did not find it.
missed AS (
    SELECT DISTINCT seen.finding_id
    FROM seen
    INNER JOIN new_finding ON seen.finding_id = new_finding.finding_id
    INNER JOIN compare_run
        ON
            seen.seen_in < compare_run.run_number
            AND new_finding.service_date BETWEEN compare_run.period_start AND compare_run.period_end
    WHERE
        compare_run.role <> 'new'
        AND (
            compare_run.role <> 'old'
            OR NOT (SELECT known FROM compare_old_known)
            OR new_finding.claim_id = ''
            OR EXISTS(SELECT 1 FROM compare_old_claim WHERE compare_old_claim.claim_id = new_finding.claim_id)
        )
),

-- What is not the same of a rule in the two runs: its own text, the user's terms, its reference tables.
rule_state AS (
    SELECT
        coalesce(old_rule.rule, new_rule.rule) AS rule,
        coalesce(old_rule.failed, FALSE) AS old_failed,
        coalesce(new_rule.failed, FALSE) AS new_failed,
        old_rule.fingerprint IS DISTINCT FROM new_rule.fingerprint AS rule_changed
    FROM (SELECT * FROM compare_rule WHERE role = 'old') AS old_rule
    FULL JOIN (SELECT * FROM compare_rule WHERE role = 'new') AS new_rule ON old_rule.rule = new_rule.rule
),

reference_state AS (
    SELECT rule_reference.rule
    FROM rule_reference
    INNER JOIN compare_reference ON rule_reference.reference = split_part(compare_reference.reference, '.', 1)
    GROUP BY rule_reference.rule, compare_reference.reference
    HAVING
        max(compare_reference.edition) FILTER (WHERE compare_reference.role = 'old')
        IS DISTINCT FROM max(compare_reference.edition) FILTER (WHERE compare_reference.role = 'new')
),

-- A rule counts once, however many of its tables are others.
reference_changed AS (
    SELECT DISTINCT rule
    FROM reference_state
),

paired AS (
    SELECT
        coalesce(new_finding.finding_id, old_finding.finding_id) AS finding_id,
        coalesce(new_finding.rule, old_finding.rule) AS rule,
        coalesce(new_finding.service_date, old_finding.service_date) AS service_date,
        coalesce(new_finding.claim_id, old_finding.claim_id) AS claim_id,
        old_finding.finding_id IS NOT NULL AND NOT old_finding.is_silent AS was_told,
        new_finding.finding_id IS NOT NULL AND NOT new_finding.is_silent AS is_told,
        old_finding.finding_id IS NOT NULL AND old_finding.is_silent AS was_silent,
        new_finding.finding_id IS NOT NULL AND new_finding.is_silent AS is_silent,
        new_finding.review_state AS new_review_state,
        old_finding.facts_md5 IS DISTINCT FROM new_finding.facts_md5
        OR old_finding.amount_at_risk IS DISTINCT FROM new_finding.amount_at_risk AS differs,
        old_finding AS before,
        new_finding AS after
    FROM old_finding
    FULL JOIN new_finding ON old_finding.finding_id = new_finding.finding_id
),

judged AS (
    SELECT
        paired.*,
        CASE
            WHEN paired.was_told AND paired.is_told THEN 'persisting'
            WHEN paired.was_told AND paired.is_silent THEN 'dismissed'
            WHEN paired.was_told THEN 'gone'
            WHEN paired.is_told AND paired.was_silent THEN 'reopened'
            WHEN paired.is_told AND missed.finding_id IS NOT NULL THEN 'reopened'
            WHEN paired.is_told AND seen.finding_id IS NOT NULL THEN 'persisting'
            WHEN paired.is_told THEN 'new'
        END AS kind,
        -- The first cause that stands between the two runs: what one did not look at is neither new nor resolved by
        -- what anyone did.
        CASE
            WHEN paired.was_told AND NOT paired.is_told AND NOT paired.is_silent
                THEN
                    CASE
                        WHEN paired.service_date NOT BETWEEN period.new_start AND period.new_end THEN 'out_of_period'
                        WHEN
                            paired.claim_id <> ''
                            AND paired.claim_id NOT IN (SELECT claim_id FROM claim_line) THEN 'claim_not_given'
                        WHEN rule_state.new_failed THEN 'rule_failed'
                    END
            WHEN paired.is_told AND NOT paired.was_told AND NOT paired.was_silent
                THEN
                    CASE
                        WHEN paired.service_date NOT BETWEEN period.old_start AND period.old_end THEN 'out_of_period'
                        WHEN
                            paired.claim_id <> ''
                            AND (SELECT known FROM compare_old_known)
                            AND paired.claim_id NOT IN (SELECT claim_id FROM compare_old_claim) THEN 'claim_not_given'
                        WHEN rule_state.old_failed THEN 'rule_failed'
                    END
        END AS not_looked_at,
        CASE
            WHEN rule_state.rule_changed THEN 'rule_changed'
            WHEN (SELECT terms_changed FROM compare_terms) THEN 'terms_changed'
            WHEN reference_changed.rule IS NOT NULL THEN 'reference_changed'
        END AS yardstick
    FROM paired
    CROSS JOIN period
    LEFT JOIN seen ON paired.finding_id = seen.finding_id
    LEFT JOIN missed ON paired.finding_id = missed.finding_id
    LEFT JOIN rule_state ON paired.rule = rule_state.rule
    LEFT JOIN reference_changed ON paired.rule = reference_changed.rule
)

SELECT
    finding_id,
    -- A finding that is gone with no such cause is resolved, if its line could be judged: unjudged.sql looks.
    CASE WHEN kind = 'gone' AND coalesce(not_looked_at, yardstick) IS NULL THEN 'resolved' ELSE kind END AS status,
    CASE
        WHEN kind IN ('gone', 'new') THEN coalesce(not_looked_at, yardstick)
        WHEN kind = 'persisting' AND NOT was_told THEN 'earlier_run'
        WHEN kind = 'reopened' AND was_silent AND new_review_state IN ('changed', 'expired', 'came_back')
            THEN new_review_state
    END AS reason,
    kind = 'persisting' AND was_told AND differs AS changed,
    rule,
    coalesce(after.title, before.title) AS title,
    coalesce(after.severity, before.severity) AS severity,
    coalesce(after.direction, before.direction) AS direction,
    claim_id,
    coalesce(after.claim_line_number, before.claim_line_number) AS claim_line_number,
    coalesce(after.patient_id, before.patient_id) AS patient_id,
    service_date,
    coalesce(after.discipline, before.discipline) AS discipline,
    coalesce(after.hcpcs_code, before.hcpcs_code) AS hcpcs_code,
    coalesce(after.rendering_npi, before.rendering_npi) AS rendering_npi,
    coalesce(after.payer, before.payer) AS payer,
    coalesce(after.plan, before.plan) AS plan,
    coalesce(after.clinician_npi, before.clinician_npi) AS clinician_npi,
    CASE WHEN was_told THEN before.exposure_amount ELSE 0.00 END::DECIMAL(12, 2) AS amount_before,
    CASE WHEN is_told THEN after.exposure_amount ELSE 0.00 END::DECIMAL(12, 2) AS amount_after,
    coalesce(after.message, before.message) AS message,
    CASE WHEN differs AND was_told AND is_told THEN before.message END AS message_before
FROM judged
WHERE kind IS NOT NULL
