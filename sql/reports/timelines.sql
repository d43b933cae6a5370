-- The visits of the episodes in which an activity's shown findings lie, with what their notes measure: the first
-- $episodes episodes in the order of the report, of each the last 20 visits before the finding and $visits from it on.
WITH spoken_of AS (
    SELECT
        report_finding.place,
        report_finding.patient_id,
        report_finding.discipline,
        report_finding.facts ->> 'hcpcs_code' AS hcpcs_code,
        (report_finding.facts ->> 'episode_start')::DATE AS episode_start,
        (report_finding.facts ->> 'since')::DATE AS since
    FROM report_finding
    INNER JOIN rule ON report_finding.rule = rule.rule AND rule.grain = 'activity'
    WHERE report_finding.place <= $rows
),

episode AS (
    SELECT
        patient_id,
        discipline,
        hcpcs_code,
        episode_start,
        min(place) AS place,
        min(since) AS since
    FROM spoken_of
    WHERE episode_start IS NOT NULL
    GROUP BY patient_id, discipline, hcpcs_code, episode_start
    ORDER BY min(place)
    LIMIT $episodes
),

attended AS (
    SELECT DISTINCT
        episode.*,
        activity_day.service_date
    FROM activity_day
    INNER JOIN episode
        ON
            activity_day.patient_id = episode.patient_id
            AND activity_day.discipline = episode.discipline
            AND activity_day.hcpcs_code = episode.hcpcs_code
            AND activity_day.episode_start = episode.episode_start
),

numbered AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY place ORDER BY service_date) AS number,
        count(*) FILTER (service_date < since) OVER (PARTITION BY place) AS visits_before
    FROM attended
),

visit AS (
    SELECT *
    FROM numbered
    WHERE number > visits_before - 20 AND number <= visits_before + $visits
),

charted AS (
    SELECT
        visit.place,
        visit.service_date,
        service.assist_level,
        service.cue_level,
        service.difficulty,
        service_text.text_number
    FROM visit
    INNER JOIN note_service AS service
        ON
            visit.patient_id = service.patient_id
            AND visit.service_date = service.service_date
            AND visit.hcpcs_code = service.hcpcs_code
    INNER JOIN visit_note AS note
        ON service.note_id = note.note_id AND coalesce(note.discipline, visit.discipline) = visit.discipline
    LEFT JOIN service_text
        ON service.note_id = service_text.note_id AND service.service_number = service_text.service_number
),

-- Of several services on a day, the most help counts; a field of the export before the text.
level AS (
    SELECT
        place,
        service_date,
        max(list_position(
            [
                'independent', 'modified_independent', 'supervision', 'contact_guard',
                'minimal', 'moderate', 'maximal', 'dependent'
            ],
            assist_level
        )) - 1 AS assist,
        max(list_position(['none', 'minimal', 'moderate', 'maximal'], cue_level)) - 1 AS cues,
        -- What is longer than a grade may be text.
        max(CASE WHEN $with_text OR length(difficulty) <= 24 THEN difficulty END) AS difficulty
    FROM charted
    GROUP BY place, service_date
),

-- What the texts say of progress.
said AS (
    SELECT
        charted.place,
        charted.service_date,
        concat_ws(
            ', ',
            CASE WHEN bool_or(evidence.plateau) THEN 'plateau' END,
            CASE WHEN bool_or(evidence.plan_changed) THEN 'plan changed' END,
            CASE WHEN bool_or(evidence.setback) THEN 'setback' END,
            CASE WHEN bool_or(evidence.advanced) THEN 'harder task' END
        ) AS said
    FROM charted
    INNER JOIN text_evidence AS evidence ON charted.text_number = evidence.text_number
    GROUP BY charted.place, charted.service_date
),

stated AS (
    SELECT
        charted.place,
        charted.service_date,
        text_measure.measure,
        max(text_measure.value) AS value
    FROM charted
    INNER JOIN text_measure ON charted.text_number = text_measure.text_number
    GROUP BY charted.place, charted.service_date, text_measure.measure
),

measured AS (
    SELECT
        place,
        service_date,
        max(value) FILTER (measure = 'assist')::INTEGER AS assist,
        max(value) FILTER (measure = 'cue_level')::INTEGER AS cues,
        map_from_entries(
            list_sort(list({'k': measure, 'v': value}) FILTER (measure NOT IN ('assist', 'cue_level')))
        ) AS measures
    FROM stated
    GROUP BY place, service_date
),

scored AS (
    SELECT
        patient_id,
        discipline,
        service_date,
        hcpcs_code,
        max(score) AS score
    FROM documented_service
    GROUP BY patient_id, discipline, service_date, hcpcs_code
)

SELECT
    visit.patient_id,
    visit.discipline,
    visit.hcpcs_code,
    visit.episode_start::VARCHAR AS episode_start,
    visit.service_date::VARCHAR AS service_date,
    visit.number,
    coalesce(level.assist, measured.assist) AS assist,
    coalesce(level.cues, measured.cues) AS cues,
    level.difficulty,
    nullif(said.said, '') AS said,
    scored.score,
    measured.measures
FROM visit
LEFT JOIN level ON visit.place = level.place AND visit.service_date = level.service_date
LEFT JOIN said ON visit.place = said.place AND visit.service_date = said.service_date
LEFT JOIN measured ON visit.place = measured.place AND visit.service_date = measured.service_date
LEFT JOIN scored
    ON
        visit.patient_id = scored.patient_id
        AND visit.discipline = scored.discipline
        AND visit.hcpcs_code = scored.hcpcs_code
        AND visit.service_date = scored.service_date
ORDER BY visit.place, visit.service_date
