-- What the text of a skilled activity's visit is made of, without what changes by itself: its letters, and how many
-- words each of its sentences has. Texts are long: each is looked at once, as it streams by.
WITH told AS NOT MATERIALIZED (
    SELECT
        description.series,
        description.visit_number,
        description.services,
        coalesce(note_service.text, visit_note.text) AS text,
        text_letters(lower(coalesce(note_service.text, visit_note.text))) AS told
    FROM note_service
    INNER JOIN activity_service AS activity
        ON note_service.note_id = activity.note_id AND note_service.service_number = activity.service_number
    INNER JOIN visit_note ON note_service.note_id = visit_note.note_id
    INNER JOIN description ON activity.day_number = description.day_number
    WHERE coalesce(note_service.text, visit_note.text) IS NOT NULL
),

service AS NOT MATERIALIZED (
    SELECT
        series,
        visit_number,
        services,
        told.letters,
        told.words,
        CASE WHEN told.letters <> '' THEN TRUE ELSE regexp_matches(text, '[0-9]') END AS says_something
    FROM told
),

-- A day's services under one code make one text, whatever their order.
gathered AS (
    SELECT
        series,
        visit_number,
        bool_or(says_something) AS says_something,
        list_sort(list({
            'letters': letters, 'words': list_slice(words, 1, len(string_split(letters, chr(1))))
        })) AS parts
    FROM service
    WHERE services > 1
    GROUP BY series, visit_number
)

SELECT
    series,
    visit_number,
    letters,
    words AS sentence_words,
    list_sum(words)::INTEGER AS words,
    CASE WHEN says_something THEN hash(letters) END AS text_key
FROM service
WHERE services = 1
UNION ALL
SELECT
    series,
    visit_number,
    array_to_string(list_transform(parts, lambda part: part.letters), chr(1)) AS letters,
    flatten(list_transform(parts, lambda part: part.words)) AS sentence_words,
    list_sum(flatten(list_transform(parts, lambda part: part.words)))::INTEGER AS words,
    CASE WHEN says_something THEN hash(list_transform(parts, lambda part: part.letters)) END AS text_key
FROM gathered
