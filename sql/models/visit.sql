-- One patient's timed services on one day in one discipline under one plan, against the minutes documented for them.
-- `codes` lists each code with what either counting method gives it. Pooled: full 15s first; the units left over go to
-- the largest remainders, and among equal ones to any (Medicare Claims Processing Manual ch. 5 §20.2.C).
WITH line AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        plan,
        count(*) OVER (PARTITION BY patient_id, service_date, discipline) AS plans,
        CASE WHEN count(*) = count(units) THEN sum(units) END::INTEGER AS timed_units_billed,
        sum(line_amount) AS timed_amount,
        min({'claim_id': claim_id, 'claim_line_number': claim_line_number}) AS first_line
    FROM therapy_line
    WHERE timed
    GROUP BY patient_id, service_date, discipline, plan
),

code AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        plan,
        -- Null as long as one code of the visit lacks its minutes.
        CASE WHEN count(*) = count(minutes) THEN sum(minutes) END::INTEGER AS code_minutes,
        sum(full_units)::INTEGER AS full_units,
        list_reverse_sort(list(remainder)) AS remainders,
        -- Sorted by code, the first field; ORDER BY within list() took fifteen times as long.
        list_sort(list(
            {
                'hcpcs_code': hcpcs_code,
                'units_billed': units_billed,
                'amount': amount,
                'minutes': minutes,
                'full_units': full_units,
                'remainder': remainder,
                'midpoint_units': midpoint_units
            }
        )) AS codes,
        sum(midpoint_units)::INTEGER AS midpoint_units,
        sum(greatest(units_billed - midpoint_units, 0))::INTEGER AS units_over_midpoint,
        sum(amount * greatest(units_billed - midpoint_units, 0) / nullif(units_billed, 0)) AS amount_over_midpoint,
        sum(greatest(midpoint_units - units_billed, 0))::INTEGER AS units_under_midpoint
    FROM visit_code
    GROUP BY patient_id, service_date, discipline, plan
),

pooled AS (
    SELECT
        *,
        units_of_minutes(code_minutes) AS code_units_allowed,
        units_of_minutes(code_minutes) - full_units AS units_left
    FROM code
),

-- Whether the clinic writes start and stop beside its timed services as a rule.
practice AS (
    SELECT
        (SELECT coalesce(1 - sum(services_without_times) / nullif(sum(timed_services), 0), 0) FROM note_day)
        >= (SELECT max(value) FROM parameter WHERE name = 'clinic.start_stop_share') AS start_stop_practised
),

allotted AS (
    SELECT
        * REPLACE (
            -- yes: every allowed allocation gives the code one of the units left; tied: some of them do.
            list_transform(
                codes,
                lambda item: struct_insert(
                    item,
                    extra_unit := CASE
                        WHEN code_minutes IS NULL THEN NULL
                        WHEN units_left = 0 OR item.remainder < remainders[units_left] THEN 'no'
                        WHEN item.remainder > coalesce(remainders[units_left + 1], -1) THEN 'yes'
                        ELSE 'tied'
                    END
                )
            ) AS codes
        )
    FROM pooled
)

SELECT
    line.patient_id,
    line.service_date,
    line.discipline,
    line.plan,
    line.first_line.claim_id,
    line.first_line.claim_line_number,
    line.timed_units_billed,
    line.timed_amount,
    line.timed_amount / nullif(line.timed_units_billed, 0) AS unit_amount, -- rounded only once it is multiplied
    note_day.note_id,
    note_day.timed_minutes,
    note_day.minutes_undocumented,
    CASE WHEN note_day.services_coded THEN TRUE END AS itemized,
    note_day.stated_timed_minutes,
    note_day.charted_timed_minutes,
    note_day.minutes_comparable,
    note_day.minutes_conflict,
    note_day.timed_services,
    note_day.services_without_times,
    practice.start_stop_practised,
    coalesce(visit_overlap.overlap_minutes, 0) AS overlap_minutes,
    CASE
        WHEN visit_overlap.overlap_minutes > 0 OR (note_day.timed_services > 0 AND note_day.services_without_times = 0)
            THEN TRUE
    END AS times_known,
    unit_cap.value::INTEGER AS daily_timed_unit_cap,
    CASE WHEN line.plans = 1 THEN TRUE END AS sole_plan,
    units_of_minutes(note_day.timed_minutes) AS units_allowed,
    allotted.code_minutes,
    allotted.code_units_allowed,
    allotted.midpoint_units,
    -- For each of `codes`: its units beyond, and short of, every allowed allocation.
    list_transform(
        allotted.codes,
        lambda item: greatest(item.units_billed - item.full_units - (item.extra_unit <> 'no')::INTEGER, 0)
    ) AS units_over,
    list_transform(
        allotted.codes,
        lambda item: greatest(item.full_units + (item.extra_unit = 'yes')::INTEGER - item.units_billed, 0)
    ) AS units_under,
    allotted.units_over_midpoint,
    allotted.amount_over_midpoint,
    allotted.units_under_midpoint,
    allotted.codes,
    -- A code may bill its full 15s, and one unit more where the allocation gives it one.
    len(list_filter(
        allotted.codes,
        lambda item: item.units_billed < item.full_units + (item.extra_unit = 'yes')::INTEGER
        OR item.units_billed > item.full_units + (item.extra_unit <> 'no')::INTEGER
    )) AS misplaced_codes
FROM line
INNER JOIN allotted
    ON
        line.patient_id = allotted.patient_id
        AND line.service_date = allotted.service_date
        AND line.discipline = allotted.discipline
        AND line.plan IS NOT DISTINCT FROM allotted.plan
CROSS JOIN practice
LEFT JOIN visit_overlap
    ON
        line.patient_id = visit_overlap.patient_id
        AND line.service_date = visit_overlap.service_date
        AND line.discipline = visit_overlap.discipline
LEFT JOIN parameter AS unit_cap
    ON
        unit_cap.name = 'payers.daily_timed_unit_cap'
        AND line.plan = unit_cap.key
        AND line.service_date BETWEEN unit_cap.effective_from AND unit_cap.effective_to
LEFT JOIN note_day
    ON
        line.patient_id = note_day.patient_id
        AND line.service_date = note_day.service_date
        AND line.discipline = note_day.discipline
