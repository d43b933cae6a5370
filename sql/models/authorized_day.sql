-- Each treatment day billed to a plan against the patient's authorizations from it: which covers the day, and how many
-- visits and units it allows up to then. Authorizations whose dates overlap count together. One that names no payer
-- known from the claims holds for each; one that names no discipline is shared by all: what a discipline uses beyond
-- its own authorizations is taken from it, in the order of the days. Where there is none, the plan may still ask for
-- one.
WITH allowed AS (
    SELECT
        given.patient_id,
        given.discipline,
        given.discipline IS NULL AS is_shared,
        payer_plan.plan,
        given.authorization_id,
        given.start_date,
        coalesce(given.end_date, DATE '9999-12-31') AS end_date,
        given.visits_authorized,
        given.units_authorized
    FROM "authorization" AS given
    LEFT JOIN payer_plan ON given.payer = payer_plan.payer
),

unit AS (
    SELECT
        patient_id,
        discipline,
        service_date,
        plan,
        CASE WHEN count(units) = count(*) THEN sum(units) END AS day_units
    FROM therapy_line
    WHERE therapy AND NOT second_bill AND patient_id IN (SELECT patient_id FROM allowed)
    GROUP BY patient_id, discipline, service_date, plan
),

course AS (
    SELECT DISTINCT
        patient_id,
        discipline,
        plan
    FROM unit
),

matched AS (
    SELECT
        course.patient_id,
        course.discipline,
        course.plan,
        allowed.* EXCLUDE (patient_id, discipline, plan),
        max(allowed.end_date) OVER (
            PARTITION BY course.patient_id, course.discipline, course.plan
            ORDER BY allowed.start_date, allowed.end_date, allowed.authorization_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS ended_before
    FROM course
    INNER JOIN allowed
        ON
            course.patient_id = allowed.patient_id
            AND coalesce(course.discipline = allowed.discipline, TRUE)
            AND coalesce(course.plan = allowed.plan, TRUE)
),

span AS (
    SELECT
        *,
        max(CASE WHEN coalesce(start_date > ended_before, TRUE) THEN start_date END) OVER (
            PARTITION BY patient_id, discipline, plan ORDER BY start_date, end_date, authorization_id
        ) AS span_start
    FROM matched
),

ended AS (
    SELECT
        patient_id,
        discipline,
        plan,
        span_start,
        max(end_date) AS span_end,
        min(start_date) FILTER (is_shared) AS shared_start
    FROM span
    GROUP BY patient_id, discipline, plan, span_start
),

covered AS (
    SELECT
        unit.patient_id,
        unit.discipline,
        unit.plan,
        unit.service_date,
        ended.span_start,
        ended.span_end,
        ended.shared_start,
        any_value(unit.day_units) AS day_units,
        CASE WHEN count(span.visits_authorized) = count(*) THEN sum(span.visits_authorized) END AS visits_authorized,
        CASE WHEN count(span.units_authorized) = count(*) THEN sum(span.units_authorized) END AS units_authorized,
        -- Null where one of the discipline's own sets no number: nothing is taken from what is shared.
        CASE
            WHEN NOT bool_or(span.visits_authorized IS NULL AND NOT span.is_shared)
                THEN sum(CASE WHEN span.is_shared THEN 0 ELSE span.visits_authorized END)
        END AS own_visits,
        CASE
            WHEN NOT bool_or(span.units_authorized IS NULL AND NOT span.is_shared)
                THEN sum(CASE WHEN span.is_shared THEN 0 ELSE span.units_authorized END)
        END AS own_units
    FROM unit
    INNER JOIN ended
        ON
            unit.patient_id = ended.patient_id
            AND unit.discipline = ended.discipline
            AND unit.plan IS NOT DISTINCT FROM ended.plan
            AND unit.service_date BETWEEN ended.span_start AND ended.span_end
    INNER JOIN span
        ON
            ended.patient_id = span.patient_id
            AND ended.discipline = span.discipline
            AND ended.plan IS NOT DISTINCT FROM span.plan
            AND ended.span_start = span.span_start
            AND unit.service_date >= span.start_date
    GROUP BY
        unit.patient_id,
        unit.discipline,
        unit.plan,
        unit.service_date,
        ended.span_start,
        ended.span_end,
        ended.shared_start
),

counted AS (
    SELECT
        *,
        row_number() OVER so_far AS visits,
        -- One day whose units are not known leaves the sum open.
        CASE WHEN count(day_units) OVER so_far = row_number() OVER so_far THEN sum(day_units) OVER so_far END AS units
    FROM covered
    WINDOW so_far AS (PARTITION BY patient_id, discipline, plan, span_start ORDER BY service_date)
),

drawn AS (
    SELECT
        *,
        CASE WHEN shared_start IS NULL OR own_visits IS NULL THEN 0 ELSE greatest(visits - own_visits, 0) END
            AS visits_drawn,
        CASE
            WHEN shared_start IS NULL OR own_units IS NULL THEN 0
            WHEN units IS NOT NULL THEN greatest(units - own_units, 0)
        END AS units_drawn
    FROM counted
),

stepped AS (
    SELECT
        *,
        visits_drawn - coalesce(lag(visits_drawn) OVER days, 0) AS visits_step,
        -- Units that are not known leave all that follows open.
        CASE
            WHEN units_drawn IS NOT NULL
                THEN units_drawn - CASE WHEN row_number() OVER days = 1 THEN 0 ELSE lag(units_drawn) OVER days END
        END AS units_step
    FROM drawn
    WINDOW days AS (PARTITION BY patient_id, discipline, plan, span_start ORDER BY service_date)
),

-- Of two disciplines' visits of one day the second by name is the later.
pooled AS (
    SELECT
        * EXCLUDE (visits, units, own_visits, own_units),
        visits AS visits_used,
        units AS units_used,
        visits + CASE WHEN visits_drawn > 0 THEN sum(visits_step) OVER together - visits_drawn ELSE 0 END AS visits,
        CASE
            WHEN units_drawn = 0 THEN units
            WHEN count(units_step) OVER together = count(*) OVER together
                THEN units + sum(units_step) OVER together - units_drawn
        END AS units
    FROM stepped
    WINDOW
        together AS (
            PARTITION BY patient_id, plan, shared_start
            ORDER BY service_date, discipline, span_start
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
)

SELECT
    day.patient_id,
    day.discipline,
    day.plan,
    day.service_date,
    day.episode_start,
    day.claim_id,
    day.claim_line_number,
    day.evaluation_billed,
    CASE WHEN matched.patient_id IS NOT NULL THEN TRUE END AS authorization_listed,
    pooled.span_start,
    pooled.span_end,
    pooled.visits_authorized::INTEGER AS visits_authorized,
    pooled.units_authorized::INTEGER AS units_authorized,
    pooled.visits::INTEGER AS visits,
    pooled.units::INTEGER AS units,
    pooled.day_units::INTEGER AS day_units,
    pooled.visits_used::INTEGER AS own_visits,
    pooled.units_used::INTEGER AS own_units,
    CASE
        WHEN
            pooled.units_authorized IS NULL
            OR pooled.units IS NOT NULL
            OR pooled.visits > pooled.visits_authorized
            THEN TRUE
    END AS units_known
FROM episode_day AS day
LEFT JOIN (SELECT DISTINCT patient_id, discipline, plan FROM matched) AS matched
    ON
        day.patient_id = matched.patient_id
        AND day.discipline = matched.discipline
        AND day.plan IS NOT DISTINCT FROM matched.plan
LEFT JOIN pooled
    ON
        day.patient_id = pooled.patient_id
        AND day.discipline = pooled.discipline
        AND day.plan IS NOT DISTINCT FROM pooled.plan
        AND day.service_date = pooled.service_date
LEFT JOIN parameter
    ON
        parameter.name = 'payers.authorization_required'
        AND day.plan = parameter.key
        AND day.service_date BETWEEN parameter.effective_from AND parameter.effective_to
WHERE matched.patient_id IS NOT NULL OR parameter.value = 1
