-- The numbers in the text of each visit of a skilled activity whose texts are much alike; dates, clock times and
-- minutes are another day's anyway.
WITH told AS (
    SELECT
        description.series,
        description.visit_number,
        note_service.note_id,
        note_service.service_number,
        regexp_extract_all(
            regexp_replace(
                lower(coalesce(note_service.text, visit_note.text)),
                '\b(?:(?:(?:dos|date|dated|seen):? )?(?:\d{4}-\d\d-\d\d|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})|'
                || '(?:dos|date|dated|seen):? \d{1,2}/\d{1,2}|'
                || '\d{1,2}:\d\d(?: ?[ap]\.?m)?|\d+ ?-?(?:minutes?|mins?|m))\b',
                ' ',
                'g'
            ),
            -- A sign and a decimal point make another number (-10, 2.5), and so do the parts of 3/5.
            '-?[0-9]+(?:\.[0-9]+)?(?:/[0-9]+)?'
        ) AS numbers,
        CASE
            WHEN description.services > 1 THEN text_letters(lower(coalesce(note_service.text, visit_note.text))).letters
        END AS letters
    FROM description
    INNER JOIN activity_service AS activity ON description.day_number = activity.day_number
    INNER JOIN note_service
        ON activity.note_id = note_service.note_id AND activity.service_number = note_service.service_number
    INNER JOIN visit_note ON note_service.note_id = visit_note.note_id
    WHERE
        description.series IN (SELECT series FROM description_pair)
        AND coalesce(note_service.text, visit_note.text) IS NOT NULL
)

-- A day's services under one code make one text, whatever their order.
SELECT
    series,
    visit_number,
    flatten(list_transform(
        list_sort(list({'letters': letters, 'numbers': numbers})), lambda part: part.numbers
    )) AS numbers
FROM told
GROUP BY series, visit_number
