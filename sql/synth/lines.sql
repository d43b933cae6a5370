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
        recipe_service.slot,
        recipe_service.hcpcs_code,
        recipe_service.distinct_service,
        fee.timed,
        least_minutes
        + (draw('minutes', 8 * visit.visit_id + recipe_service.slot) % (most_minutes - least_minutes + 1))::INTEGER
            AS minutes
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
)

SELECT
    earned.* EXCLUDE (plant, unit_method, timed_minutes, full_units, remainder_rank, units_earned),
    units_earned + coalesce(unit_change.units, 0) AS units
FROM earned
LEFT JOIN unit_change ON earned.plant = unit_change.plant AND earned.slot = unit_change.slot;

-- Multiple procedure reduction: of a patient's units on a day, the one with the most practice expense is paid whole.
CREATE OR REPLACE TABLE priced AS
WITH ranked AS (
    SELECT
        service.service_id,
        service.visit_id,
        service.units,
        fee.charge_amount,
        fee.full_amount,
        fee.reduced_amount,
        row_number() OVER (
            PARTITION BY service.number, service.service_date
            ORDER BY fee.practice DESC, fee.full_amount DESC, service.service_id
        ) AS practice_rank,
        row_number() OVER (PARTITION BY service.visit_id ORDER BY service.slot)::INTEGER AS claim_line_number
    FROM service
    INNER JOIN fee USING (hcpcs_code)
    WHERE service.units > 0
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
        visit.by_assistant
        AND coalesce(visit.plan IN ('medicare_part_b', 'medicare_advantage', 'tricare', 'unitedhealthcare'), FALSE)
            AS bills_assistant,
        round(
            (units * reduced_amount + if(practice_rank = 1, full_amount - reduced_amount, 0.00)) * visit.factor, 2
        )::DECIMAL(12, 2) AS allowed_amount
    FROM ranked
    INNER JOIN visit USING (visit_id)
)

SELECT
    * EXCLUDE (units, charge_amount, full_amount, reduced_amount, practice_rank),
    (units * charge_amount)::DECIMAL(12, 2) AS charge_amount,
    round(
        allowed_amount * 0.8 * if(plan = 'medicare_part_b' AND bills_assistant, 0.85, 1.00)
        * if(plan IN ('medicare_part_b', 'medicare_advantage'), 0.98, 1.00), 2
    )::DECIMAL(12, 2) AS paid_amount
FROM allowed;

-- The part B patients' totals toward the KX threshold, and the opening balance that makes a line cross or reach it.
CREATE OR REPLACE TABLE opening_balance AS
WITH running AS (
    SELECT
        number,
        patient_id,
        year(service_date) AS year,
        pool,
        opening,
        allowed_amount,
        sum(allowed_amount) OVER (PARTITION BY number, pool ORDER BY service_date, service_id) AS balance,
        row_number() OVER (PARTITION BY number, pool ORDER BY service_date, service_id) AS place,
        count(*) OVER (PARTITION BY number, pool) AS places
    FROM priced
    WHERE plan = 'medicare_part_b' AND year(service_date) = year(getvariable('start_date')::DATE)
),

turning AS (
    SELECT
        *,
        threshold.amount AS threshold
    FROM running
    INNER JOIN threshold USING (year)
    WHERE place = greatest(1, places * (30 + draw('turning line', number) % 50)::INTEGER // 100)
)

SELECT
    number,
    patient_id,
    year,
    pool,
    greatest(CASE opening
        WHEN 'crosses' THEN threshold - balance + round(allowed_amount / 2, 2)
        WHEN 'reaches' THEN threshold - balance
        WHEN 'some' THEN 50 + (draw('some', number) % 40000) / 100
        ELSE 0
    END, 0)::DECIMAL(12, 2) AS amount
FROM turning
WHERE opening <> 'unknown';

CREATE OR REPLACE TABLE ledger AS
WITH running AS (
    SELECT
        priced.service_id,
        priced.visit_id,
        priced.planted,
        priced.opening,
        threshold.amount AS threshold,
        coalesce(opening_balance.amount, 0) + sum(priced.allowed_amount) OVER (
            PARTITION BY priced.number, priced.pool, threshold.year ORDER BY priced.service_date, priced.service_id
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
    service_id,
    visit_id,
    CASE
        WHEN balance_after - allowed_amount >= threshold THEN 'past'
        WHEN balance_after > threshold THEN 'crossing'
        WHEN balance_after = threshold THEN 'reaching'
        WHEN balance_after < 0.4 * threshold AND opening IN ('none', 'some') THEN 'far'
        ELSE 'below'
    END AS position,
    planted
FROM running;

-- KX left out or put on without need: one line of a visit that has no other case.
CREATE OR REPLACE TABLE kx_plant AS
WITH one_line AS (
    SELECT *
    FROM ledger
    WHERE NOT planted AND position IN ('past', 'crossing', 'far')
    QUALIFY row_number() OVER (PARTITION BY visit_id ORDER BY position = 'crossing' DESC, draw('kx', service_id)) = 1
)

SELECT
    service_id,
    CASE position
        WHEN 'past' THEN 'medicare.kx_missing'
        WHEN 'crossing' THEN 'medicare.kx_missing_on_crossing_line'
        ELSE 'medicare.kx_routine'
    END AS rule
FROM one_line
QUALIFY
    row_number() OVER (PARTITION BY position ORDER BY draw('kx rank', service_id), service_id)
    <= greatest(3, (SELECT count(*) FROM visit) // 450);

-- A claim line as billed, in the order of the claims file.
CREATE OR REPLACE TABLE claim AS
WITH line AS (
    SELECT
        service.service_id,
        service.slot,
        service.hcpcs_code,
        service.distinct_service,
        service.units,
        visit.*,
        priced.claim_line_number,
        priced.bills_assistant,
        priced.charge_amount,
        priced.allowed_amount,
        priced.paid_amount,
        ledger.position,
        kx_plant.rule AS kx_rule
    FROM service
    INNER JOIN priced USING (service_id)
    INNER JOIN visit ON service.visit_id = visit.visit_id
    LEFT JOIN ledger USING (service_id)
    LEFT JOIN kx_plant USING (service_id)
)

SELECT
    *,
    if(distinct_service, ['59'], [])
    || CASE
        WHEN slot = 1 AND plant = 'modifier_missing' THEN []
        WHEN slot = 1 AND plant = 'two_modifiers' THEN [discipline_modifier, if(discipline = 'PT', 'GO', 'GP')]
        WHEN slot = 1 AND plant IN ('modifier_of_other', 'modifier_of_other_on_evaluation')
            THEN [if(discipline = 'PT', 'GO', 'GP')]
        ELSE [discipline_modifier]
    END
    || if(bills_assistant, [if(discipline = 'OT', 'CO', 'CQ')], [])
    || if((coalesce(position, '') IN ('past', 'crossing')) <> (kx_rule IS NOT NULL), ['KX'], []) AS modifiers
FROM line;
