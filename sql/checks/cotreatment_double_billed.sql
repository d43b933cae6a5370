-- Minutes that two clinicians gave one patient together count once: they may be split between them, not billed twice.
WITH day AS (
    SELECT
        visit.patient_id,
        visit.service_date,
        cotreatment.joint_minutes,
        cotreatment.later_discipline,
        sum(visit.timed_units_billed) AS units_billed,
        list(visit.timed_minutes ORDER BY visit.discipline, visit.claim_id) AS minutes,
        list(DISTINCT visit.discipline ORDER BY visit.discipline) AS disciplines,
        arg_max(
            {'claim_id': visit.claim_id, 'claim_line_number': visit.claim_line_number},
            (visit.discipline = cotreatment.later_discipline, visit.discipline, visit.claim_id)
        ) AS anchor_line
    FROM visits_in_scope($rule) AS visit
    INNER JOIN cotreatment
        ON visit.patient_id = cotreatment.patient_id AND visit.service_date = cotreatment.service_date
    GROUP BY visit.patient_id, visit.service_date, cotreatment.joint_minutes, cotreatment.later_discipline
    -- Where only one of two disciplines bills, the joint minutes may all be that one's.
    HAVING count(visit.timed_minutes) = count(*) AND (count(*) > 1 OR any_value(cotreatment.disciplines) = 1)
),

-- The most that any split of the joint minutes between two disciplines earns; within one, minutes are pooled.
judged AS (
    SELECT
        *,
        CASE len(minutes)
            WHEN 1 THEN units_of_minutes(minutes[1] - joint_minutes)
            WHEN 2
                THEN list_max(list_transform(
                    range(0, joint_minutes + 1),
                    lambda given: units_of_minutes(minutes[1] - given)
                    + units_of_minutes(minutes[2] - (joint_minutes - given))
                ))
            ELSE (list_sum(minutes) - joint_minutes + 7 * len(minutes)) // 15
        END AS units_allowed
    FROM day
)

SELECT
    anchor_line.claim_id,
    anchor_line.claim_line_number,
    [stake(service_date, NULL, units_billed - units_allowed)] AS at_stake,
    disciplines,
    joint_minutes AS overlap_minutes,
    units_billed,
    units_allowed
FROM judged
WHERE units_billed > units_allowed
