-- Claims against notes against remittances, in the period: how many billed lines (or charted services, or remitted
-- lines), and dollars, stand how. Documented only: what the service would have brought on the average.
WITH counted AS (
    SELECT
        reconciliation.reconciliation_state,
        reconciliation.match_key,
        coalesce(reconciliation.clinician_differs, FALSE) AS clinician_differs,
        reconciliation.remittance_state,
        reconciliation.billable,
        count(*) AS services,
        sum(reconciliation.line_amount) AS amount
    FROM reconciliation
    INNER JOIN audit_period
        ON reconciliation.service_date BETWEEN audit_period.period_start AND audit_period.period_end
    GROUP BY ALL
),

confidence AS (
    SELECT
        key AS match_key,
        max(value) AS confidence
    FROM parameter
    WHERE name = 'clinic.match_confidence'
    GROUP BY key
),

told AS (
    SELECT
        *,
        CASE
            WHEN reconciliation_state = 'matched'
                THEN
                    CASE match_key
                        WHEN 'adjacent day' THEN 'date slip'
                        WHEN 'day and other code' THEN 'code swap'
                        WHEN 'day in another discipline' THEN 'other discipline'
                        WHEN 'day' THEN 'matched by day'
                        ELSE 'matched'
                    END
            WHEN reconciliation_state = 'documented only' AND NOT billable THEN 'charted, not billed apart'
            ELSE reconciliation_state
        END AS item
    FROM counted
),

listed AS (
    SELECT
        'notes' AS level,
        told.item,
        min(confidence.confidence) AS confidence,
        sum(told.services) AS services,
        sum(told.amount) AS amount
    FROM told
    LEFT JOIN confidence ON told.match_key = confidence.match_key
    WHERE told.item <> 'remitted only'
    GROUP BY told.item
    UNION ALL
    SELECT
        'notes' AS level,
        'clinician differs' AS item,
        NULL AS confidence,
        sum(services) AS services,
        sum(amount) AS amount
    FROM told
    WHERE clinician_differs AND item <> 'billed twice'
    HAVING sum(services) > 0
    UNION ALL
    SELECT
        'remittances' AS level,
        if(item = 'remitted only', item, remittance_state) AS item,
        NULL AS confidence,
        sum(services) AS services,
        sum(amount) AS amount
    FROM told
    WHERE remittance_state IS NOT NULL
    GROUP BY if(item = 'remitted only', item, remittance_state)
)

SELECT
    level,
    item,
    confidence::DOUBLE AS confidence,
    services::BIGINT AS services,
    coalesce(amount, 0.00)::DECIMAL(18, 2) AS amount
FROM listed
ORDER BY
    level,
    list_position(
        [
            'matched', 'matched by day', 'date slip', 'code swap', 'other discipline', 'billed only', 'billed twice',
            'documented only', 'charted, not billed apart', 'not compared', 'clinician differs', 'paid',
            'partly denied', 'denied', 'reversed', 'open', 'not remitted', 'not known', 'remitted only'
        ], item
    ),
    item
