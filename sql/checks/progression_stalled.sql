-- Skilled therapy expects change: less help, fewer cues, more load, a better measure or a harder task. A run of visits
-- without any is a stall, unless a documented plateau with a changed plan ends it.
WITH visit AS (
    SELECT
        day.patient_id,
        day.discipline,
        day.hcpcs_code,
        day.episode_start,
        day.measure_since,
        day.measure_visits,
        day.declines,
        day.day_number,
        day.service_date,
        day.claim_id,
        day.claim_line_number,
        parameter.value AS stalled_visits
    FROM activities_in_scope($rule) AS day
    INNER JOIN parameter
        ON parameter.name = $visits AND day.service_date BETWEEN parameter.effective_from AND parameter.effective_to
    WHERE day.measures_so_far IS NOT NULL AND NOT day.is_answered
),

-- Few runs are long enough: only their visits are told of.
run AS (
    SELECT
        patient_id,
        discipline,
        hcpcs_code,
        episode_start,
        measure_since
    FROM visit
    GROUP BY patient_id, discipline, hcpcs_code, episode_start, measure_since
    HAVING
        max(measure_visits) >= max(stalled_visits)
        -- Who loses ground again and again is not standing still, whether or not the notes say why.
        AND count(*) FILTER (declines AND measure_visits > 1) < 2
),

stalled AS (
    SELECT
        visit.patient_id,
        visit.discipline,
        visit.hcpcs_code,
        visit.episode_start,
        visit.measure_since,
        max(visit.measure_visits) AS visits,
        arg_min({'claim_id': visit.claim_id, 'claim_line_number': visit.claim_line_number}, visit.service_date)
            FILTER (visit.measure_visits >= visit.stalled_visits) AS anchor_line,
        arg_max(visit.day_number, visit.service_date) AS last_day_number,
        arg_min(visit.day_number, visit.service_date) AS first_day_number,
        list(stake(visit.service_date, visit.hcpcs_code, NULL) ORDER BY visit.service_date)
            FILTER (visit.measure_visits >= visit.stalled_visits) AS at_stake
    FROM visit
    SEMI JOIN run
        ON
            visit.patient_id = run.patient_id
            AND visit.discipline = run.discipline
            AND visit.hcpcs_code = run.hcpcs_code
            AND visit.episode_start = run.episode_start
            AND visit.measure_since IS NOT DISTINCT FROM run.measure_since
    GROUP BY visit.patient_id, visit.discipline, visit.hcpcs_code, visit.episode_start, visit.measure_since
),

run_end AS (
    SELECT
        first_day_number,
        unnest(list_distinct([first_day_number, last_day_number])) AS day_number
    FROM stalled
),

-- What the run's first visit states, and the last one besides.
stated AS (
    SELECT
        run_end.first_day_number,
        activity_measure.measure,
        arg_min(activity_measure.value, activity_measure.day_number <> run_end.first_day_number) AS value
    FROM run_end
    INNER JOIN activity_measure ON run_end.day_number = activity_measure.day_number
    GROUP BY run_end.first_day_number, activity_measure.measure
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
