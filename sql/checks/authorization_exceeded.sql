-- A payer that authorizes therapy pays the visits and units that it authorized, within the dates; the disciplines that
-- share an authorization use it up together. An evaluation is often free of it, so that one outside the dates is left
-- out.
WITH judged AS (
    SELECT
        *,
        span_start IS NULL AND NOT evaluation_billed AS is_outside,
        coalesce(visits > visits_authorized, FALSE) AS is_over_visits,
        coalesce(units > units_authorized, FALSE) AS is_over_units
    FROM authorized_days_in_scope($rule)
    WHERE authorization_listed
),

over AS (
    SELECT
        patient_id,
        discipline,
        plan,
        is_outside,
        coalesce(span_start, episode_start) AS span_key,
        min(episode_start) AS episode_start,
        any_value(span_start) AS span_start,
        any_value(span_end) AS span_end,
        min(service_date) AS first_date,
        count(*) AS days,
        count(*) FILTER (is_over_visits) AS days_over_visits,
        max(visits) AS visits,
        max_by(visits_authorized, service_date) AS visits_authorized,
        max_by(own_visits, service_date) AS own_visits,
        max(units) AS units,
        max_by(units_authorized, service_date) AS units_authorized,
        max_by(own_units, service_date) AS own_units,
        -- Of the day on which the units run out, those past them.
        list(
            stake(
                service_date,
                NULL,
                CASE
                    WHEN NOT is_outside AND NOT is_over_visits AND units - units_authorized < day_units
                        THEN units - units_authorized
                END
            )
            ORDER BY service_date
        ) AS at_stake
    FROM judged
    WHERE is_outside OR is_over_visits OR is_over_units
    GROUP BY patient_id, discipline, plan, is_outside, coalesce(span_start, episode_start)
)

SELECT
    episode_day.claim_id,
    episode_day.claim_line_number,
    over.at_stake,
    over.episode_start,
    CASE WHEN over.is_outside THEN over.first_date ELSE over.span_start END AS since,
    over.days AS days_over,
    over.visits,
    over.visits_authorized,
    over.units,
    over.units_authorized,
    CASE
        WHEN over.is_outside
            THEN
                over.days || ' treatment day' || CASE over.days WHEN 1 THEN '' ELSE 's' END
                || ' outside the dates of every authorization, the first on ' || over.first_date
        WHEN over.days_over_visits > 0
            THEN
                over.visits || ' visits on ' || over.visits_authorized || ' authorized'
                || CASE
                    WHEN over.visits > over.own_visits
                        THEN ', ' || over.own_visits || ' of them in ' || over.discipline || ','
                    ELSE ''
                END
        ELSE
            over.units || ' units on ' || over.units_authorized || ' authorized'
            || CASE
                WHEN over.units > over.own_units THEN ', ' || over.own_units || ' of them in ' || over.discipline || ','
                ELSE ''
            END
    END
    || CASE
        WHEN over.is_outside THEN ''
        WHEN over.span_end >= DATE '9999-12-31' THEN ' since ' || over.span_start
        ELSE ' from ' || over.span_start || ' to ' || over.span_end
    END AS state
FROM over
INNER JOIN episode_day
    ON
        over.patient_id = episode_day.patient_id
        AND over.discipline = episode_day.discipline
        AND over.plan IS NOT DISTINCT FROM episode_day.plan
        AND over.first_date = episode_day.service_date
