-- Visits of a skilled activity whose letters are those of the visit before, or nearly, in series with as many such as
-- make a clone.
WITH setting AS (
    SELECT
        (SELECT max(value)::INTEGER FROM parameter WHERE name = 'clinic.cloned_visits') AS visits,
        (SELECT max(value) FROM parameter WHERE name = 'clinic.cloned_likeness') AS likeness,
        (SELECT max(value) FROM parameter WHERE name = 'clinic.cloned_words') AS words,
        (SELECT max(value) FROM parameter WHERE name = 'clinic.nearly_cloned_words') AS words_nearly
),

pair AS (
    SELECT
        this_one.series,
        this_one.visit_number,
        this_one.text_key = last_one.text_key AS same_letters,
        -- In few words one word or number more or less is the matter itself.
        this_one.words >= setting.words_nearly AND last_one.words >= setting.words_nearly AS long_enough
    FROM description_text AS this_one
    INNER JOIN description_text AS last_one
        ON this_one.series = last_one.series AND this_one.visit_number = last_one.visit_number + 1
    CROSS JOIN setting
    WHERE
        this_one.words >= setting.words
        AND CASE
            WHEN this_one.text_key = last_one.text_key THEN TRUE
            WHEN this_one.words < setting.words_nearly OR last_one.words < setting.words_nearly THEN FALSE
            WHEN
                length(this_one.letters) < setting.likeness * length(last_one.letters)
                OR length(last_one.letters) < setting.likeness * length(this_one.letters)
                THEN FALSE
            ELSE text_likeness_from(this_one.letters, last_one.letters, setting.likeness::DOUBLE)
                >= setting.likeness
        END
),

often AS (
    SELECT series
    FROM pair
    GROUP BY series
    HAVING count(*) >= (SELECT visits - 1 FROM setting)
)

SELECT
    series,
    visit_number,
    same_letters,
    long_enough
FROM pair
WHERE series IN (SELECT series FROM often)
