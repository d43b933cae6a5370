-- The visits' services with their minutes, the units that these earn, and the claim lines billed for them.
CREATE OR REPLACE TABLE service AS
WITH given AS (
    SELECT
        8 * visit.visit_id + recipe_service.slot AS service_id,
        visit.visit_id,
        visit.number,
        visit.episode_id,
        visit.service_date,
        visit.plant,
        visit.unit_method,
        visit.by_assistant,
        visit.asks_for_assistant,
        recipe_service.* EXCLUDE (recipe_id, least_minutes, most_minutes),
        fee.timed,
        -- A day's case says how many minutes each of three services has.
        coalesce(
            visit.minutes_set[recipe_service.slot],
            least_minutes + (
                draw('minutes', 8 * visit.visit_id + recipe_service.slot) % (most_minutes - least_minutes + 1)
            )::INTEGER
        ) AS minutes
    FROM visit
    INNER JOIN recipe_service USING (recipe_id)
    INNER JOIN fee USING (hcpcs_code)
),

pooled AS (
    SELECT
        *,
        sum(if(timed, minutes, 0)) OVER day AS timed_minutes,
        sum(if(timed, minutes // 15, 0)) OVER day AS full_units
    FROM given
    WINDOW day AS (PARTITION BY visit_id)
),

ranked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY visit_id ORDER BY if(timed, minutes % 15, -1) DESC, draw('tie', service_id), slot
        ) AS remainder_rank
    FROM pooled
),

earned AS (
    SELECT
        *,
        CASE
            WHEN NOT timed THEN 1
            WHEN unit_method = 'midpoint' THEN if(minutes < 8, 0, (minutes + 7) // 15)
            ELSE minutes // 15
                + (remainder_rank <= if(timed_minutes < 8, 0, (timed_minutes + 7) // 15) - full_units)::INTEGER
        END::INTEGER AS units_earned
    FROM ranked
),

billed AS (
    SELECT
        earned.*,
        coalesce(earned.units_set, earned.units_earned + coalesce(unit_change.units, 0)) AS units
    FROM earned
    LEFT JOIN unit_change ON earned.plant = unit_change.plant AND earned.slot = unit_change.slot
)

SELECT
    service_id,
    visit_id,
    number,
    episode_id,
    service_date,
    plant,
    slot,
    hcpcs_code,
    service_modifiers,
    timed,
    minutes,
    units,
    lines,
    clock,
    silent,
    coalesce(assistant_set, if(by_assistant, minutes, 0)) AS assistant_minutes,
    if(asks_for_assistant, coalesce(marked_set, if(by_assistant, units, 0)), 0) AS marked_units,
    coalesce(block_set, minutes) AS block_minutes,
    -- Services follow one another unless the recipe says where one starts.
    coalesce(block_from_set, sum(coalesce(block_set, minutes)) OVER before, 0)::INTEGER AS block_from
FROM billed
WINDOW before AS (PARTITION BY visit_id ORDER BY slot ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING);

-- What is billed of each service: one line, or two where an assistant gave some of the units or a case splits them.
CREATE OR REPLACE TABLE billed_line AS
WITH part AS (
    SELECT
        *,
        unnest(range(if(lines = 2 OR (marked_units > 0 AND marked_units < units), 2, 1))) AS part
    FROM service
    WHERE units > 0 AND plant IS DISTINCT FROM 'visit_unbilled'
)

SELECT
    2 * service_id + part AS line_id,
    service_id,
    visit_id,
    number,
    service_date,
    slot,
    hcpcs_code,
    service_modifiers,
    part,
    CASE
        WHEN lines = 2 THEN if(part = 0, units - units // 2, units // 2)
        WHEN marked_units > 0 AND marked_units < units THEN if(part = 0, units - marked_units, marked_units)
        ELSE units
    END AS units,
    marked_units = units OR (marked_units > 0 AND part = 1) AS marked
FROM part;

-- Multiple procedure reduction: of a patient's units on a day, the one with the most practice expense is paid whole.
CREATE OR REPLACE TABLE priced AS
WITH ranked AS (
    SELECT
        billed_line.line_id,
        billed_line.visit_id,
        billed_line.hcpcs_code,
        billed_line.units,
        billed_line.marked,
        fee.charge_amount,
        fee.full_amount,
        fee.reduced_amount,
        row_number() OVER (
            PARTITION BY billed_line.number, billed_line.service_date
            ORDER BY fee.practice DESC, fee.full_amount DESC, billed_line.line_id
        ) AS practice_rank,
        row_number() OVER (PARTITION BY billed_line.visit_id ORDER BY billed_line.line_id)::INTEGER
            AS claim_line_number,
        bool_or(billed_line.hcpcs_code = '97530') OVER (PARTITION BY billed_line.visit_id)
        AND billed_line.hcpcs_code = '97140' AS with_activities
    FROM billed_line
    INNER JOIN fee USING (hcpcs_code)
),

allowed AS (
    SELECT
        ranked.*,
        visit.number,
        visit.patient_id,
        visit.opening,
        visit.plan,
        visit.service_date,
        if(visit.discipline = 'OT', 'OT', 'PT+SLP') AS pool,
        visit.plant IS NOT NULL OR visit.episode_plant IS NOT NULL AS planted,
        coalesce(
            units * contract.fee_amount,
            round(
                (units * reduced_amount + if(practice_rank = 1, full_amount - reduced_amount, 0.00)) * visit.factor, 2
            )
        )::DECIMAL(12, 2) AS allowed_amount
    FROM ranked
    INNER JOIN visit USING (visit_id)
    LEFT JOIN contract ON visit.plan = contract.plan AND ranked.hcpcs_code = contract.hcpcs_code
),

-- What the payer leaves of it in the end: nothing of what it denies or takes back, less where it cuts a unit.
answered AS (
    SELECT
        allowed.* EXCLUDE (units, charge_amount, full_amount, reduced_amount, practice_rank),
        allowed.units AS line_units,
        (allowed.units * allowed.charge_amount)::DECIMAL(12, 2) AS charge_amount,
        allowed.allowed_amount AS price_amount,
        story.story,
        story.reason,
        story.is_open OR story.is_lost AS unanswered,
        story.story IS NOT NULL
        AND coalesce(story.target_line = allowed.claim_line_number, TRUE)
        AND coalesce(list_contains(story.target_codes, allowed.hcpcs_code), TRUE) AS concerned
    FROM allowed
    INNER JOIN story USING (visit_id)
)

SELECT
    * REPLACE (
        CASE
            WHEN concerned AND story IN ('denied', 'upheld', 'taken_back', 'reversed') THEN 0.00
            WHEN concerned AND story = 'cut' THEN round(price_amount * (line_units - 1) / line_units, 2)
            ELSE price_amount
        END::DECIMAL(12, 2) AS allowed_amount
    )
FROM answered;

-- The part B patients' totals toward the KX threshold, and the opening balance that makes a line cross or reach it, or
-- pass the amount of medical review, or that leaves the year near the threshold.
CREATE OR REPLACE TABLE opening_balance AS
WITH running AS (
    SELECT
        number,
        patient_id,
        year(service_date) AS year,
        pool,
        opening,
        allowed_amount,
        sum(allowed_amount) OVER (PARTITION BY number, pool ORDER BY service_date, line_id) AS balance,
        sum(allowed_amount) OVER (PARTITION BY number, pool) AS year_amount,
        row_number() OVER (PARTITION BY number, pool ORDER BY service_date, line_id) AS place,
        count(*) OVER (PARTITION BY number, pool) AS places
    FROM priced
    WHERE plan = 'medicare_part_b' AND year(service_date) = year(getvariable('start_date')::DATE)
),

turning AS (
    SELECT
        *,
        threshold.amount AS threshold,
        row_number() OVER (PARTITION BY opening ORDER BY draw('near', concat_ws('.', number, pool)), number, pool) % 4
            AS guise
    FROM running
    INNER JOIN threshold USING (year)
    WHERE place = greatest(1, places * (30 + draw('turning line', number) % 50)::INTEGER // 100)
)

SELECT
    number,
    patient_id,
    year,
    pool,
    greatest(CASE
        WHEN opening = 'crosses' THEN threshold - balance + round(allowed_amount / 2, 2)
        WHEN opening = 'reaches' THEN threshold - balance
        WHEN opening = 'reviewed' AND guise = 1 THEN 3000 - year_amount
        WHEN opening = 'reviewed' THEN 3000 - balance + round(allowed_amount / 2, 2)
        WHEN opening = 'approaches'
            THEN [0.9 * threshold, 0.8 * threshold - 0.01, threshold, 0.8 * threshold][1 + guise] - year_amount
        WHEN opening = 'some' THEN 50 + (draw('some', number) % 40000) / 100
        ELSE 0
    END, 0)::DECIMAL(12, 2) AS amount
FROM turning
WHERE opening <> 'unknown';

CREATE OR REPLACE TABLE ledger AS
WITH running AS (
    SELECT
        priced.line_id,
        priced.visit_id,
        priced.patient_id,
        priced.planted,
        priced.story,
        priced.opening,
        priced.pool,
        threshold.year,
        threshold.amount AS threshold,
        coalesce(opening_balance.amount, 0) + sum(priced.allowed_amount) OVER (
            PARTITION BY priced.number, priced.pool, threshold.year ORDER BY priced.service_date, priced.line_id
        ) AS balance_after,
        priced.allowed_amount
    FROM priced
    INNER JOIN threshold ON year(priced.service_date) = threshold.year
    LEFT JOIN opening_balance
        ON
            priced.number = opening_balance.number
            AND priced.pool = opening_balance.pool
            AND threshold.year = opening_balance.year
    WHERE priced.plan = 'medicare_part_b'
)

SELECT
    *,
    CASE
        WHEN balance_after - allowed_amount >= threshold THEN 'past'
        WHEN balance_after > threshold THEN 'crossing'
        WHEN balance_after = threshold THEN 'reaching'
        WHEN balance_after < 0.4 * threshold AND opening IN ('none', 'some') THEN 'far'
        ELSE 'below'
    END AS position
FROM running;

-- KX left out, put on without need, or beside a modifier that contradicts it, and where it merely looks odd: one line
-- of a visit that has no other case. What is not covered does not count toward medical review: none may hang on it.
CREATE OR REPLACE TABLE kx_plant AS
WITH one_line AS (
    SELECT *
    FROM ledger
    WHERE
        NOT planted AND story IS NULL
        AND (position IN ('crossing', 'far') OR (position = 'past' AND opening <> 'reviewed'))
    QUALIFY row_number() OVER (PARTITION BY visit_id ORDER BY position = 'crossing' DESC, draw('kx', line_id)) = 1
),

dealt AS (
    SELECT
        line_id,
        position,
        row_number() OVER (PARTITION BY position ORDER BY draw('kx rank', line_id), line_id) - 1 AS place
    FROM one_line
)

SELECT
    line_id,
    CASE position
        WHEN 'crossing' THEN 'missing_on_crossing_line'
        WHEN 'far' THEN 'routine'
        ELSE ['missing', 'with_ga', 'first', 'with_gy', 'with_gz', 'missing'][1 + place % 6]
    END AS kx_case
FROM dealt
WHERE place < if(position = 'past', 4, 1) * greatest(3, (SELECT count(*) FROM visit) // 900);

-- A claim line as billed, in the order of the claims file.
CREATE OR REPLACE TABLE claim AS
WITH line AS (
    SELECT
        billed_line.line_id,
        billed_line.slot,
        billed_line.part,
        coalesce(code_change.hcpcs_code, billed_line.hcpcs_code) AS hcpcs_code,
        billed_line.service_modifiers,
        billed_line.units,
        billed_line.marked,
        visit.*,
        priced.claim_line_number,
        priced.charge_amount,
        priced.price_amount,
        priced.allowed_amount,
        priced.story,
        priced.concerned,
        priced.unanswered,
        priced.reason AS denial_reason,
        priced.with_activities,
        ledger.position,
        kx_plant.kx_case,
        kx_denial.reason AS kx_reason,
        modifier_change.modifiers AS modifiers_set
    FROM billed_line
    INNER JOIN priced USING (line_id)
    INNER JOIN visit ON billed_line.visit_id = visit.visit_id
    LEFT JOIN ledger USING (line_id)
    LEFT JOIN kx_plant USING (line_id)
    LEFT JOIN kx_denial
        ON
            kx_plant.kx_case = kx_denial.kx_case
            AND draw('kx denied', billed_line.line_id) % 100 BETWEEN kx_denial.lot_from AND kx_denial.lot_to - 1
    LEFT JOIN code_change ON visit.plant = code_change.plant AND billed_line.slot = code_change.slot
    LEFT JOIN modifier_change
        ON
            visit.plant = modifier_change.plant
            AND visit.discipline = modifier_change.discipline
            AND priced.claim_line_number = 1
),

marked AS (
    SELECT
        * EXCLUDE (with_activities, modifiers_set, service_modifiers),
        if(
            with_activities AND sets_manual_therapy_apart
            AND coalesce(plant NOT IN ('payer_pair_marked', 'payer_pair_unmarked'), TRUE),
            ['59'], service_modifiers
        )
        || coalesce(
            modifiers_set,
            CASE
                WHEN NOT marked THEN [discipline_modifier]
                WHEN plant = 'split_in_other_order' AND part = 1
                    THEN [if(discipline = 'OT', 'CO', 'CQ'), discipline_modifier]
                ELSE [discipline_modifier, if(discipline = 'OT', 'CO', 'CQ')]
            END
        )
        || CASE kx_case WHEN 'with_ga' THEN ['GA'] WHEN 'with_gz' THEN ['GZ'] WHEN 'with_gy' THEN ['GY'] ELSE [] END
            AS modifiers,
        (coalesce(position, '') IN ('past', 'crossing') AND NOT coalesce(starts_with(kx_case, 'missing'), FALSE))
        OR coalesce(kx_case = 'routine', FALSE) AS has_kx
    FROM line
),

kept AS (
    SELECT
        * EXCLUDE (kx_reason)
        REPLACE (
            -- A line past the threshold that is denied leaves it passed: the lines before it did that.
            if(kx_reason IS NULL, allowed_amount, 0.00)::DECIMAL(12, 2) AS allowed_amount,
            if(kx_reason IS NULL, story, 'denied') AS story,
            concerned OR kx_reason IS NOT NULL AS concerned,
            coalesce(kx_reason, denial_reason) AS denial_reason,
            CASE
                WHEN NOT has_kx THEN modifiers
                WHEN kx_case = 'first' THEN ['KX'] || modifiers
                ELSE modifiers || ['KX']
            END AS modifiers
        )
    FROM marked
)

SELECT *
FROM kept
UNION ALL
-- Some claims are sent twice, under a second number.
SELECT kept.* REPLACE (
    kept.line_id + 1000000000000 AS line_id,
    'E' || kept.claim_id[2:] AS claim_id,
    kept.modifiers || claim_again.modifiers AS modifiers
)
FROM kept
INNER JOIN claim_again ON kept.plant = claim_again.plant;
