-- What becomes of each visit's claim: when it is sent, when it is answered, what is denied and whether that is undone.
-- Nothing is known of what happens after the last day of the files, 40 days after the last service date.
SET VARIABLE cutoff = getvariable('end_date') + 40;

-- A day that is no weekend.
CREATE OR REPLACE MACRO business_day(day) AS day + [0, 0, 0, 0, 0, 2, 1][isodow(day)]::INTEGER;

CREATE OR REPLACE TABLE story AS
WITH caused AS (
    SELECT
        visit.visit_id,
        denial_cause.story,
        denial_cause.target_line,
        denial_cause.target_codes,
        denial_cause.reason
    FROM visit
    INNER JOIN denial_cause ON coalesce(visit.plant, visit.episode_plant) = denial_cause.plant
    WHERE draw('denied', visit.visit_id) % 100 < denial_cause.percent
),

happened AS (
    SELECT
        visit.visit_id,
        unexplained.story,
        unexplained.target_line,
        NULL AS target_codes,
        pick(unexplained.reasons, 'reason', visit.visit_id) AS reason
    FROM visit
    INNER JOIN unexplained
        ON draw('story', visit.visit_id) % 10000 BETWEEN unexplained.lot_from AND unexplained.lot_to - 1
    WHERE
        visit.plant IS NULL AND visit.episode_plant IS NULL
        -- The modifier that is put right is one that the plan asks for.
        AND (unexplained.reasons <> ['CO 4 N822'] OR visit.medicare)
),

told AS (
    SELECT * FROM caused
    UNION ALL
    SELECT * FROM happened
),

sent AS (
    SELECT
        visit.visit_id,
        visit.plan,
        visit.plant IS NULL AND visit.episode_plant IS NULL AND told.visit_id IS NULL AS plain,
        visit.payer,
        visit.service_date,
        visit.received_date - 1 AS submitted_date,
        told.* EXCLUDE (visit_id),
        business_day(
            visit.received_date - 1
            + (least_days + draw('days', visit.visit_id) % (most_days - least_days + 1))::INTEGER
        ) AS first_paid_date,
        draw('second', visit.visit_id) AS lot
    FROM visit
    INNER JOIN payer_habit ON visit.payer = payer_habit.payer
    LEFT JOIN told ON visit.visit_id = told.visit_id
),

-- A denial is worked some days after it came; an appeal takes longer.
again AS (
    SELECT
        *,
        first_paid_date + (3 + lot % 12)::INTEGER AS second_submitted_date,
        business_day(
            first_paid_date + (3 + lot % 12)::INTEGER + if(story = 'replaced', 15, 25) + (lot // 16 % 10)::INTEGER
        ) AS second_paid_date
    FROM sent
),

-- What would be undone after the last day is not undone yet.
known AS (
    SELECT
        * REPLACE (
            CASE
                WHEN first_paid_date > getvariable('cutoff') THEN NULL
                WHEN second_paid_date <= getvariable('cutoff') THEN story
                WHEN story IN ('won', 'upheld', 'replaced') AND reason <> 'CO 4 N822' THEN 'denied'
                WHEN story IN ('denied', 'cut') THEN story
            END AS story
        ),
        first_paid_date > getvariable('cutoff') AS is_open,
        row_number() OVER (PARTITION BY plain ORDER BY draw('lost', visit_id), visit_id) AS turn
    FROM again
),

-- The days from which, and until which, the payer is seen to answer.
answering AS (
    SELECT
        *,
        min(first_paid_date) FILTER (NOT plain AND NOT is_open) OVER one AS first_answer,
        max(first_paid_date) FILTER (NOT plain AND NOT is_open) OVER one AS last_answer
    FROM known
    WINDOW one AS (PARTITION BY payer)
),

-- Claims that got lost: their payer's answers go on long enough to see it. Of Medicare's, what is not known to be
-- allowed would have to be guessed for the year's total: none of theirs.
lost AS (
    SELECT visit_id
    FROM answering
    WHERE
        plain AND NOT is_open AND plan IS DISTINCT FROM 'medicare_part_b'
        AND first_answer < submitted_date - 7 AND last_answer > submitted_date + 45
    QUALIFY row_number() OVER (ORDER BY turn) <= greatest(3, (SELECT count(*) FROM visit) // 900)
)

SELECT
    known.* EXCLUDE (plan, plain, payer, lot, turn),
    lost.visit_id IS NOT NULL AS is_lost,
    known.plain AND NOT known.is_open AND lost.visit_id IS NULL AS plain,
    known.turn
FROM known
LEFT JOIN lost ON known.visit_id = lost.visit_id;
