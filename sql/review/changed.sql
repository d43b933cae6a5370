-- New decisions on what the newest report has with other facts or dollars: they will have to be made again.
WITH one AS (
    SELECT
        unnest(decision),
        place
    FROM merged
    WHERE is_new
)

SELECT
    one.place || ': finding ' || one.finding_id || coalesce(' (' || one.rule || ')', '')
    || ' has changed since this workbook was written; decide it again in the newest one.' AS sentence
FROM one
INNER JOIN current_finding ON one.finding_id = current_finding.finding_id
WHERE
    one.facts_hash <> current_finding.facts_hash
    -- Unless the finding as it is now was decided as well.
    AND NOT EXISTS(
        SELECT 1
        FROM merged
        WHERE
            merged.decision.finding_id = one.finding_id
            AND merged.decision.facts_hash = current_finding.facts_hash
            AND merged.decision.reviewed_on >= one.reviewed_on
    )
ORDER BY one.place
