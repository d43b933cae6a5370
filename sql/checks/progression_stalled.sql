-- Skilled therapy expects change: less help, fewer cues, more load, a better measure or a harder task. A run of visits
-- without any is a stall, unless a documented plateau with a changed plan ends it.
WITH stalled AS (
    SELECT
        day.patient_id,
        day.discipline,
        day.hcpcs_code,
        day.episode_start,
        day.measure_since,
        max(day.measure_visits) AS visits,
        arg_min({'claim_id': day.claim_id, 'claim_line_number': day.claim_line_number}, day.service_date)
            FILTER (day.measure_visits >= parameter.value) AS anchor_line,
        arg_max(day.day_number, day.service_date) AS last_day_number,
        arg_min(day.day_number, day.service_date) AS first_day_number,
        list(stake(day.service_date, day.hcpcs_code, NULL) ORDER BY day.service_date)
            FILTER (day.measure_visits >= parameter.value) AS at_stake
    FROM activities_in_scope($rule) AS day
    INNER JOIN parameter
        ON parameter.name = $visits AND day.service_date BETWEEN parameter.effective_from AND parameter.effective_to
    WHERE day.measures_so_far IS NOT NULL AND NOT day.is_answered
    GROUP BY day.patient_id, day.discipline, day.hcpcs_code, day.episode_start, day.measure_since
    HAVING
        max(day.measure_visits) >= max(parameter.value)
        -- Who loses ground again and again is not standing still, whether or not the notes say why.
        AND count(*) FILTER (day.declines AND day.measure_visits > 1) < 2
),

-- What the run's first visit states, and the last one besides.
stated AS (
    SELECT
        stalled.first_day_number,
        activity_measure.measure,
        arg_min(activity_measure.value, activity_measure.day_number <> stalled.first_day_number) AS value
    FROM stalled
    INNER JOIN activity_measure
        ON activity_measure.day_number IN (stalled.first_day_number, stalled.last_day_number)
    GROUP BY stalled.first_day_number, activity_measure.measure
),

told AS (
    SELECT
        stated.first_day_number,
        CASE
            WHEN stated.measure = 'assist'
                THEN
                    [
                        'independent', 'modified independence', 'supervision', 'contact guard', 'minimal assistance',
                        'moderate assistance', 'maximal assistance', 'dependent'
                    ][stated.value::INTEGER + 1]
            WHEN stated.measure = 'cue_level'
                THEN ['no cues', 'minimal cues', 'moderate cues', 'maximal cues'][stated.value::INTEGER + 1]
            ELSE
                replace(
                    measure.words,
                    '#',
                    format('{:g}', round(stated.value * if(contains(measure.words, '#%'), 100, 1), 2))
                )
        END AS words,
        stated.measure
    FROM stated
    INNER JOIN measure ON stated.measure = measure.measure
),

listed AS (
    SELECT
        first_day_number,
        string_agg(words, ', ' ORDER BY measure) AS measures
    FROM told
    GROUP BY first_day_number
)

SELECT
    stalled.anchor_line.claim_id,
    stalled.anchor_line.claim_line_number,
    stalled.at_stake,
    stalled.hcpcs_code,
    stalled.episode_start,
    stalled.measure_since AS since,
    stalled.visits,
    coalesce(listed.measures, 'nothing measured') AS measures
FROM stalled
LEFT JOIN listed ON stalled.first_day_number = listed.first_day_number
