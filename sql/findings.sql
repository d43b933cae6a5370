-- From what the checks found (located_finding) to dollars: `finding` and `finding_line`. A check says what would not be
-- paid: units of claim lines, its own line where it says nothing, or an amount where it knows one. Units are
-- worth what the day's payment loses without them: where the first of a day's units goes, the next one is paid in full
-- in its place (Medicare Claims Processing Manual ch. 5 §10.7). A line's units count once in `exposure_amount`, with
-- the finding that puts most of them at stake.

-- The lines of the days that findings put at stake, with what their units are worth: what the line is worth, shared as
-- the fee schedule has it (the first unit whole, later ones reduced), else evenly. Place: whose first unit is whole.
CREATE OR REPLACE TEMP TABLE line_price AS
WITH part AS (
    SELECT
        patient_id,
        service_date,
        unnest(at_stake) AS stake
    FROM located_finding
),

day AS (
    SELECT
        patient_id,
        service_date
    FROM located_finding
    UNION
    SELECT
        coalesce(stake.patient_id, patient_id) AS patient_id,
        stake.service_date
    FROM part
),

line AS (
    SELECT
        therapy_line.*,
        therapy_line.line_amount = therapy_line.charge_amount AS is_charge
    FROM therapy_line
    SEMI JOIN day
        ON therapy_line.patient_id = day.patient_id AND therapy_line.service_date = day.service_date
),

priced AS (
    SELECT
        line.line_id,
        line.claim_id,
        line.claim_line_number,
        line.patient_id,
        line.service_date,
        line.discipline,
        line.plan,
        line.hcpcs_code,
        line.timed,
        line.second_bill,
        coalesce(line.documented, TRUE) AS documented,
        line.units,
        -- A charge is no price where the fee schedule has one.
        CASE
            WHEN price.expected_allowed IS NOT NULL AND line.allowed_amount IS NULL AND line.is_charge
                THEN price.expected_allowed
            ELSE line.line_amount
        END AS line_amount,
        hash(line.patient_id, line.service_date, line.plan, coalesce(line.billing_npi, '')) AS day_id,
        price.full_unit_fee,
        price.reduced_unit_fee,
        1 / nullif(
            price.full_units * price.full_unit_fee + price.reduced_units * coalesce(price.reduced_unit_fee, 0), 0
        ) AS per_fee,
        CASE WHEN unit_fee.multiple_procedure AND price.price_source = 'fee_schedule' THEN unit_fee.place END
            AS code_place
    FROM line
    LEFT JOIN expected_payment AS price ON line.line_id = price.line_id AND price.price_source = 'fee_schedule'
    LEFT JOIN unit_fee ON line.hcpcs_code = unit_fee.hcpcs_code AND line.service_date = unit_fee.service_date
)

SELECT
    * EXCLUDE (full_unit_fee, reduced_unit_fee, per_fee, code_place),
    line_amount / nullif(units, 0) AS unit_amount,
    line_amount * per_fee * full_unit_fee AS first_unit_amount,
    line_amount * per_fee
    * CASE WHEN code_place IS NULL THEN full_unit_fee ELSE reduced_unit_fee END AS later_unit_amount,
    CASE
        WHEN code_place IS NOT NULL
            THEN
                row_number() OVER (
                    PARTITION BY day_id, code_place IS NULL ORDER BY code_place, claim_id, claim_line_number
                )
    END AS place
FROM priced;

-- What a table of stakes (stake_key, line_id, units_at_stake; null: all of the line's units; below 0: units that are
-- missing) is worth, by stake_key and line: USD that the payment of the day loses without them. Where all units of the
-- line that is paid in full go, the next line left has its first unit paid in full instead.
CREATE OR REPLACE MACRO price_of_stakes(stakes) AS TABLE
WITH stake AS (
    SELECT
        asked.stake_key,
        asked.line_id,
        asked.units_at_stake,
        line_price.day_id,
        line_price.place,
        line_price.units,
        line_price.line_amount,
        line_price.unit_amount,
        line_price.later_unit_amount,
        coalesce(asked.units_at_stake >= line_price.units, asked.units_at_stake IS NULL) AS is_whole
    FROM query_table(stakes) AS asked
    INNER JOIN line_price ON asked.line_id = line_price.line_id
),

vacated AS (
    SELECT
        stake_key,
        line_id,
        day_id
    FROM stake
    WHERE is_whole AND place = 1
),

promoted AS (
    SELECT
        vacated.stake_key,
        vacated.line_id,
        arg_min(other.first_unit_amount - other.later_unit_amount, other.place) AS amount
    FROM vacated
    INNER JOIN line_price AS other ON vacated.day_id = other.day_id AND vacated.line_id <> other.line_id
    LEFT JOIN stake
        ON vacated.stake_key = stake.stake_key AND other.line_id = stake.line_id AND stake.is_whole
    WHERE other.place IS NOT NULL AND stake.line_id IS NULL
    GROUP BY vacated.stake_key, vacated.line_id
)

SELECT
    stake.stake_key,
    stake.line_id,
    round(
        CASE
            WHEN stake.is_whole THEN greatest(stake.line_amount - coalesce(promoted.amount, 0), 0)
            ELSE abs(stake.units_at_stake) * coalesce(stake.later_unit_amount, stake.unit_amount)
        END, 2
    )::DECIMAL(12, 2) AS amount
FROM stake
LEFT JOIN promoted ON stake.stake_key = promoted.stake_key AND stake.line_id = promoted.line_id;

-- The units of each line that a finding puts at stake; of several lines of a code the last ones go first, of several
-- codes those that the note does not document, then those that are paid least. Units that are missing (below 0) stand
-- on a line of their code, else on the finding's own.
CREATE OR REPLACE TEMP TABLE finding_stake AS
WITH part AS (
    SELECT
        finding_id,
        rule,
        line_id AS own_line_id,
        plan,
        by_plan,
        unnest(at_stake) AS stake,
        generate_subscripts(at_stake, 1) AS part_number,
        patient_id AS own_patient_id,
        discipline AS own_discipline
    FROM located_finding
    WHERE at_stake IS NOT NULL AND known_amount IS NULL
),

reached AS (
    SELECT
        part.finding_id,
        part.part_number,
        part.stake.units AS units_asked,
        line_price.line_id,
        line_price.units,
        row_number() OVER last_first AS turn,
        coalesce(sum(line_price.units) OVER (
            last_first ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS units_before
    FROM part
    INNER JOIN line_price
        ON
            coalesce(part.stake.patient_id, part.own_patient_id) = line_price.patient_id
            AND part.stake.service_date = line_price.service_date
            AND coalesce(part.stake.discipline, part.own_discipline) = line_price.discipline
    WHERE
        NOT line_price.second_bill
        AND (NOT part.by_plan OR part.plan IS NOT DISTINCT FROM line_price.plan)
        AND EXISTS(
            SELECT 1
            FROM rule_scope
            WHERE rule_scope.rule = part.rule AND (rule_scope.plan = '*' OR rule_scope.plan = line_price.plan)
        )
        AND CASE
            WHEN part.stake.hcpcs_code IS NOT NULL THEN part.stake.hcpcs_code = line_price.hcpcs_code
            ELSE part.stake.units IS NULL OR line_price.timed
        END
    WINDOW last_first AS (
        PARTITION BY part.finding_id, part.part_number
        ORDER BY
            line_price.documented,
            line_price.place DESC NULLS FIRST,
            line_price.unit_amount,
            line_price.claim_id DESC,
            line_price.claim_line_number DESC
    )
),

taken AS (
    SELECT
        finding_id,
        line_id,
        CASE
            WHEN units_asked IS NULL THEN NULL
            WHEN units_asked < 0 THEN units_asked
            ELSE least(units_asked - units_before, units)
        END AS units_at_stake
    FROM reached
    WHERE
        units_asked IS NULL
        OR (units_asked < 0 AND turn = 1)
        OR (units_asked > 0 AND units > 0 AND units_asked > units_before)
),

own AS (
    SELECT
        finding_id,
        line_id,
        units_at_stake
    FROM located_finding
    WHERE at_stake IS NULL AND known_amount IS NULL AND line_id IS NOT NULL
),

missing AS (
    SELECT
        part.finding_id,
        part.own_line_id AS line_id,
        part.stake.units AS units_at_stake
    FROM part
    WHERE
        part.stake.units < 0
        AND (part.finding_id, part.part_number) NOT IN (SELECT (finding_id, part_number) FROM reached)
),

every_part AS (
    SELECT * FROM taken
    UNION ALL
    SELECT * FROM own
    UNION ALL
    SELECT * FROM missing
)

SELECT
    finding_id,
    line_id,
    CASE WHEN count(*) = count(units_at_stake) THEN sum(units_at_stake) END::INTEGER AS units_at_stake
FROM every_part
WHERE line_id IS NOT NULL
GROUP BY finding_id, line_id;

CREATE OR REPLACE TEMP TABLE single_stake AS
SELECT
    finding_id AS stake_key,
    line_id,
    units_at_stake
FROM finding_stake;

-- What each finding puts at risk, line by line, before it is known what others do.
CREATE OR REPLACE TEMP TABLE finding_amount AS
SELECT
    finding_stake.finding_id,
    finding_stake.line_id,
    finding_stake.units_at_stake,
    CASE
        WHEN located_finding.direction = 'compliance' THEN 0.00
        ELSE price.amount
    END::DECIMAL(12, 2) AS amount_at_risk
FROM finding_stake
INNER JOIN located_finding ON finding_stake.finding_id = located_finding.finding_id
INNER JOIN price_of_stakes('single_stake') AS price
    ON finding_stake.finding_id = price.stake_key AND finding_stake.line_id = price.line_id
UNION ALL
SELECT
    finding_id,
    line_id,
    NULL AS units_at_stake,
    known_amount AS amount_at_risk
FROM located_finding
WHERE known_amount IS NOT NULL;

-- What was decided on these findings before, and whether it still holds.
CREATE OR REPLACE TEMP TABLE judged_finding AS
SELECT
    located_finding.finding_id,
    any_value(located_finding.rule) AS rule,
    any_value(located_finding.facts) AS facts,
    coalesce(sum(finding_amount.amount_at_risk), 0.00) AS amount_at_risk
FROM located_finding
INNER JOIN review_decision ON located_finding.finding_id = review_decision.finding_id
LEFT JOIN finding_amount ON located_finding.finding_id = finding_amount.finding_id
GROUP BY located_finding.finding_id;

INSERT INTO finding_review
SELECT * FROM reviewed('judged_finding');

-- What reviewers dismissed counts in no total.
UPDATE located_finding
SET counts = FALSE
FROM finding_review
WHERE located_finding.finding_id = finding_review.finding_id AND finding_review.review_state = 'dismissed';

-- What the findings that count in totals put at stake together, by direction: of each line the most units that one of
-- them does.
CREATE OR REPLACE TEMP TABLE joint_stake AS
SELECT
    located_finding.direction AS stake_key,
    finding_stake.line_id,
    CASE
        WHEN count(*) = count(finding_stake.units_at_stake)
            THEN arg_max(finding_stake.units_at_stake, abs(finding_stake.units_at_stake))
    END AS units_at_stake
FROM finding_stake
INNER JOIN located_finding ON finding_stake.finding_id = located_finding.finding_id
WHERE located_finding.counts
GROUP BY located_finding.direction, finding_stake.line_id;

INSERT INTO finding_line
WITH ranked AS (
    SELECT
        finding_amount.*,
        located_finding.direction,
        located_finding.counts,
        row_number() OVER (
            PARTITION BY coalesce(finding_amount.line_id::VARCHAR, finding_amount.finding_id), located_finding.direction
            ORDER BY located_finding.counts DESC, finding_amount.amount_at_risk DESC, finding_amount.finding_id
        ) AS place,
        max(finding_amount.amount_at_risk) OVER (
            PARTITION BY
                coalesce(finding_amount.line_id::VARCHAR, finding_amount.finding_id),
                located_finding.direction,
                located_finding.counts
        ) AS most
    FROM finding_amount
    INNER JOIN located_finding ON finding_amount.finding_id = located_finding.finding_id
)

SELECT
    ranked.finding_id,
    line_price.claim_id,
    line_price.claim_line_number,
    ranked.units_at_stake,
    ranked.amount_at_risk,
    CASE
        WHEN NOT ranked.counts OR ranked.place > 1 THEN 0.00
        -- No more can be asked back than the line is worth.
        WHEN ranked.direction = 'overpayment'
            THEN least(
                greatest(ranked.most, coalesce(joint.amount, 0.00)), coalesce(line_price.line_amount, ranked.most)
            )
        ELSE greatest(ranked.most, coalesce(joint.amount, 0.00))
    END AS exposure_amount
FROM ranked
LEFT JOIN line_price ON ranked.line_id = line_price.line_id
-- What compliance puts at stake has no price; said in the join, DuckDB would compare each row with every other.
LEFT JOIN (SELECT * FROM price_of_stakes('joint_stake') WHERE stake_key <> 'compliance') AS joint
    ON ranked.direction = joint.stake_key AND ranked.line_id = joint.line_id;

INSERT INTO finding
WITH total AS (
    SELECT
        finding_id,
        sum(amount_at_risk) AS amount_at_risk,
        sum(exposure_amount) AS exposure_amount
    FROM finding_line
    GROUP BY finding_id
)

SELECT
    located_finding.finding_id,
    located_finding.rule,
    located_finding.severity,
    located_finding.direction,
    located_finding.claim_id,
    located_finding.claim_line_number,
    located_finding.patient_id,
    located_finding.service_date,
    located_finding.discipline,
    located_finding.hcpcs_code,
    located_finding.rendering_npi,
    located_finding.payer,
    located_finding.plan,
    coalesce(total.amount_at_risk, 0.00) AS amount_at_risk,
    coalesce(total.exposure_amount, 0.00) AS exposure_amount,
    located_finding.message,
    located_finding.facts,
    located_finding.reference_state,
    located_finding.source_file,
    located_finding.source_row
FROM located_finding
LEFT JOIN total ON located_finding.finding_id = total.finding_id
