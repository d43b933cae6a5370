-- What the notes measure of each skilled activity on each day: fields of the export first, then the texts. Of several
-- values on a day the largest counts, which is the worst of what is better when less.
WITH service AS (
    SELECT
        day_number,
        list_position(
            [
                'independent', 'modified_independent', 'supervision', 'contact_guard', 'minimal', 'moderate', 'maximal',
                'dependent'
            ],
            assist_level
        ) - 1 AS assist,
        list_position(['none', 'minimal', 'moderate', 'maximal'], cue_level) - 1 AS cue_level,
        lower(trim(difficulty)) AS difficulty,
        regexp_extract(difficulty, '[0-9]+(?:[.][0-9]+)?') AS load
    FROM activity_service
    WHERE assist_level IS NOT NULL OR cue_level IS NOT NULL OR difficulty IS NOT NULL
),

-- A day's loads add up, so that one of several exercises moving on is seen.
charted AS (
    SELECT
        day_number,
        max(assist)::DOUBLE AS assist,
        max(cue_level)::DOUBLE AS cue_level,
        sum(nullif(load, '')::DOUBLE) AS load,
        CASE
            WHEN count(difficulty) FILTER (load = '') > 0
                THEN
                    (
                        list_aggregate(list_sort(list(difficulty) FILTER (load = '')), 'string_agg', ' ').hash()
                        % 1000000007
                    )::DOUBLE
        END AS difficulty
    FROM service
    WHERE assist IS NOT NULL OR cue_level IS NOT NULL OR difficulty IS NOT NULL
    GROUP BY day_number
),

field AS (
    UNPIVOT charted
    ON assist, cue_level, load, difficulty
    INTO NAME measure VALUE value
),

-- How often an exercise was repeated says nothing of how often the activity was.
stated AS (
    SELECT
        activity_service.day_number,
        CASE
            WHEN
                text_measure.measure = 'repetitions'
                AND text_evidence.narrative = 'impairment'
                AND procedure_code.functional_activity
                THEN 'exercise_repetitions'
            ELSE text_measure.measure
        END AS measure,
        text_measure.value
    FROM activity_service
    INNER JOIN procedure_code ON activity_service.hcpcs_code = procedure_code.hcpcs_code
    INNER JOIN text_measure ON activity_service.text_number = text_measure.text_number
    INNER JOIN text_evidence ON activity_service.text_number = text_evidence.text_number
),

told AS (
    SELECT
        day_number,
        measure,
        max(value) AS value
    FROM stated
    GROUP BY day_number, measure
)

SELECT
    day_number,
    measure,
    value,
    TRUE AS is_field
FROM field
UNION ALL
SELECT
    told.day_number,
    told.measure,
    told.value,
    FALSE AS is_field
FROM told
LEFT JOIN charted ON told.day_number = charted.day_number
WHERE
    CASE told.measure
        WHEN 'assist' THEN charted.assist IS NULL
        WHEN 'cue_level' THEN charted.cue_level IS NULL
        WHEN 'weight' THEN charted.load IS NULL
        WHEN 'resistance' THEN charted.load IS NULL
        ELSE TRUE
    END
