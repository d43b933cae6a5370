-- What the notes say: minutes as given, levels that move over the episode, and texts put together from phrases.
-- One row per charted service. Its turn counts the code's visits in the episode; measures move with it. In a repeated
-- run, the first service's measures stand still, and so does its wording where the text is cloned.
CREATE OR REPLACE TABLE charted AS
WITH turned AS (
    SELECT
        service.service_id,
        service.visit_id,
        service.episode_id,
        service.slot,
        service.hcpcs_code,
        service.timed,
        service.minutes,
        visit.plant,
        visit.guise,
        visit.note_type,
        visit.episode_plant,
        visit.copyist,
        row_number() OVER (
            PARTITION BY service.episode_id, service.hcpcs_code ORDER BY service.visit_id
        )::INTEGER AS turn,
        visit.repeated AND service.slot = 1 AS still,
        service.slot = 1 AND coalesce(visit.plant = 'copied_to_others', FALSE) AS copied
    FROM service
    INNER JOIN visit USING (visit_id)
),

-- How far into its repeated run a service is.
stilled AS (
    SELECT
        *,
        if(still, turn - min(turn) OVER (PARTITION BY episode_id, hcpcs_code, still), 0) AS repeats
    FROM turned
    WHERE plant IS DISTINCT FROM 'note_missing' AND NOT (plant IS NOT DISTINCT FROM 'service_missing' AND slot = 2)
)

SELECT
    * EXCLUDE (turn, copied),
    if(copied, 1, turn - if(episode_plant = 'template_moving', 0, repeats)) AS measure_turn,
    CASE
        WHEN copied THEN 1
        WHEN
            repeats > 0 AND episode_plant IN ('cloned', 'cloned_nearly', 'repeated_thrice', 'template_moving')
            THEN turn - repeats
        ELSE turn
    END AS text_turn,
    -- In how much is done, and nothing else: a gain at every second visit, or ground lost.
    CASE
        WHEN episode_plant = 'one_measure_gains' THEN 2 * (repeats // 2)
        WHEN episode_plant = 'setback_told' AND repeats >= 2 THEN -2
        ELSE 0
    END AS more,
    if(plant = 'two_notes', slot, 0) AS note_part,
    -- Small enough for quick arithmetic.
    (if(copied, draw('copied', copyist), draw('words', concat_ws('.', episode_id, hcpcs_code))) % 1000000007)::INTEGER
        AS words,
    -- Half the episodes are charted in fields as well as in words.
    draw('fields', episode_id) % 2 = 0 AS has_fields
FROM stilled;

-- The parts of each text, picked from lists of different lengths, so that no two visits say it alike.
CREATE OR REPLACE TABLE note AS
WITH levelled AS (
    SELECT
        charted.*,
        size.active,
        size.tasks,
        least(measure_turn, text_turn) AS task_turn,
        least(7, 2 + (words % 3)::INTEGER + measure_turn // 5) AS assist,
        -- Cueing fades as assistance does. Fields that must say what the text leaves out say that there was some.
        least(
            if(saying.fields_filled, 3, 4),
            1 + (least(7, 2 + (words % 3)::INTEGER + measure_turn // 5) + (words // 8 % 2)::INTEGER) // 2
        ) AS cue,
        coalesce(
            saying.layouts[1 + (charted.guise - 1) % len(saying.layouts)],
            episode_saying.layouts[1 + (charted.words + charted.text_turn) % len(episode_saying.layouts)]
        ) AS layout_set,
        if(episode_saying.episode_plant IS NULL, saying.fields_filled, FALSE) AS fields_filled,
        text_change.plant IS NOT NULL AS is_set,
        text_change.text AS text_set
    FROM charted
    LEFT JOIN repertoire_size AS size USING (hcpcs_code)
    LEFT JOIN saying ON charted.plant = saying.plant AND charted.slot = 1
    LEFT JOIN episode_saying
        ON charted.episode_plant = episode_saying.episode_plant AND charted.hcpcs_code = episode_saying.hcpcs_code
    LEFT JOIN text_change ON charted.plant = text_change.plant AND charted.slot = text_change.slot
),

parted AS (
    SELECT
        levelled.*,
        wording.leads[1 + ((words // 3 + text_turn) % len(wording.leads))::INTEGER] AS lead,
        wording.places[1 + ((words // 41 + text_turn) % len(wording.places))::INTEGER] AS place,
        task.said[1 + ((words // 13 + text_turn) % len(task.said))::INTEGER] AS task,
        task.focus[1 + ((words // 7 + text_turn) % len(task.focus))::INTEGER] AS focus,
        task.goals[1 + (words // 11 % len(task.goals))::INTEGER] AS purpose,
        dose.wordings[1 + ((words // 17 + text_turn) % len(dose.wordings))::INTEGER] AS dose,
        wording.directions[cue][1 + ((words // 19 + text_turn) % 4)::INTEGER] AS direction,
        wording.assists[assist][1 + ((words // 23 + text_turn) % 3)::INTEGER] AS help,
        wording.responses[1 + ((words // 5 + text_turn) % len(wording.responses))::INTEGER] AS response,
        wording.goals[1 + ((words // 29 + text_turn) % len(wording.goals))::INTEGER] AS goal,
        (dose.a_first + (words // 16 % 5)::INTEGER + dose.a_step * (measure_turn + more))::VARCHAR AS a,
        (dose.b_first + (words // 128 % 2)::INTEGER + measure_turn // 4)::VARCHAR AS b,
        (3 * (4 - cue) + words // 64 % 2)::VARCHAR AS cues,
        greatest(0, 6 - (words // 37 % 3)::INTEGER - measure_turn // 3)::VARCHAR AS pain,
        -- What is said besides.
        CASE
            WHEN slot <> 1 THEN ''
            WHEN plant = 'copied_to_others'
                THEN format(
                    ' Set up by the {} with the {} step at hip height, then moved to the {} {} once it looked steady.',
                    wording.things[1 + (words // 43 % 11)::INTEGER], wording.kinds[1 + (words // 47 % 13)::INTEGER],
                    wording.kinds[1 + (words // 53 % 13)::INTEGER], wording.things[1 + (words // 59 % 11)::INTEGER]
                )
            WHEN plant = 'heading_to_others'
                THEN format(
                    ' Gait belt on, {} {} behind, water by the {} {}.',
                    wording.kinds[1 + (draw('heading', copyist) % 13)::INTEGER],
                    wording.things[1 + (draw('heading', copyist) // 13 % 11)::INTEGER],
                    wording.kinds[1 + (draw('heading', copyist) // 143 % 13)::INTEGER],
                    wording.things[1 + (draw('heading', copyist) // 1859 % 11)::INTEGER]
                )
            WHEN episode_plant = 'cloned_nearly' AND still THEN wording.asides[1 + repeats]
            WHEN episode_plant = 'plateau_answered' AND repeats = 3 THEN wording.plateaus[1 + (words % 3)::INTEGER]
            WHEN episode_plant = 'setback_told' AND repeats = 2 THEN wording.setbacks[1 + (words % 3)::INTEGER]
            ELSE ''
        END AS besides
    FROM levelled
    CROSS JOIN wording
    LEFT JOIN repertoire AS task
        ON
            levelled.hcpcs_code = task.hcpcs_code
            AND (levelled.words + levelled.task_turn // 4) % levelled.tasks = task.place
    LEFT JOIN dose ON task.dose = dose.dose
),

measured AS (
    SELECT
        *,
        replace(replace(dose, '{a}', a), '{b}', b) AS amount,
        replace(replace(direction, '{f}', focus), '{n}', cues) AS directed,
        replace(response, '{p}', pain) AS answered,
        concat(if(lead = '', upper(task[1]) || task[2:], lead || task), place) AS did
    FROM parted
),

-- A sentence begins with a capital.
capped AS (
    SELECT
        *,
        upper(directed[1]) || directed[2:] AS directed_first,
        upper(help[1]) || help[2:] AS help_first,
        upper(answered[1]) || answered[2:] AS answered_first,
        replace(goal, '{g}', purpose) AS aim
    FROM measured
),

-- What stands where: what was done, how much, direction, help, response, goal.
worded AS (
    SELECT
        *,
        CASE
            WHEN is_set THEN text_set
            WHEN tasks IS NULL
                THEN concat(
                    if(note_type = 'evaluation', 'Initial examination', 'Re-examination'), ': history, ',
                    (4 + words % 5)::VARCHAR, ' tests of mobility, strength and function, findings discussed; ',
                    [
                        'goals set with the patient', 'plan of care agreed', 'home program begun'
                    ][1 + (words % 3)::INTEGER],
                    '.'
                )
            WHEN NOT active THEN concat(did, ', ', amount, '. Response: ', answered, '.')
            WHEN layout_set IS NOT NULL
                THEN replace(replace(replace(replace(replace(replace(replace(replace(replace(
                    replace(replace(replace(replace(replace(replace(
                        layout_set,
                        '{Did}', did),
                        '{did}', lower(did[1]) || did[2:]),
                        '{dose}', amount),
                        '{direction}', directed),
                        '{Direction}', directed_first),
                        '{assist}', help),
                        '{Assist}', help_first),
                        '{response}', answered),
                    '{Response}', answered_first),
                    '{goal}', aim),
                    '{task}', task),
                    '{Task}', upper(task[1]) || task[2:]),
                    '{f}', focus),
                    '{a}', a),
                    '{b}', b)
            ELSE concat(
                CASE (words // 31 + text_turn) % 5
                    WHEN 0
                        THEN concat(
                            did, ', ', amount, '; ', directed, ', ', help, '. Response: ', answered, '. ', aim, '.'
                        )
                    WHEN 1
                        THEN concat(
                            aim, '. ', did, ': ', amount, '. ', directed_first, '. ', help_first, '; ', answered, '.'
                        )
                    WHEN 2
                        THEN concat(
                            did, ', ', amount, '. ', help_first, ', ', directed, '. ', answered_first, '. ', aim, '.'
                        )
                    WHEN 3
                        THEN concat(
                            did, ' (', amount, ') with ', help, '. ', directed_first, '. ', aim, '. ', answered_first,
                            '.'
                        )
                    ELSE concat(
                        help_first, ': ', lower(did[1]), did[2:], ', ', amount, '. ', directed_first, '; ', answered,
                        '. ', aim, '.'
                    )
                END,
                besides
            )
        END AS text,
        active AND coalesce(fields_filled, has_fields) AND NOT is_set AS in_fields
    FROM capped
)

SELECT
    service_id,
    visit_id,
    note_part,
    hcpcs_code,
    timed,
    minutes,
    if(in_fields, 'G' || (1 + words % 3), NULL) AS goal_id,
    if(layout_set IS NULL, text, replace(text, '{p}', pain)) AS text,
    if(in_fields, [
        'maximal', 'moderate', 'minimal', 'contact_guard', 'supervision', 'modified_independent', 'independent'
    ][assist], NULL) AS assist_level,
    if(in_fields, ['maximal', 'moderate', 'minimal', 'none'][cue], NULL) AS cue_level,
    if(in_fields, 'grade ' || (1 + measure_turn // 3), NULL) AS difficulty
FROM worded;
