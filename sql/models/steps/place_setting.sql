-- Each place of service as the claims spell it, and whether the practitioner or the hospital tables apply. A number of
-- three digits is a type of bill: such claims are institutional.
WITH spelled AS (
    SELECT DISTINCT place_of_service AS spelling
    FROM current_line
    WHERE place_of_service IS NOT NULL
),

code AS (
    SELECT
        spelling,
        CASE
            WHEN regexp_full_match(trim(spelling), '0?[1-8][0-9][0-9A-Z]')
                THEN 'bill type ' || ltrim(trim(spelling), '0')[:2]
            ELSE regexp_extract(spelling, '^\s*([0-9]{2})\b', 1)
        END AS place_of_service
    FROM spelled
)

SELECT
    code.spelling,
    coalesce(place_of_service.setting, 'practitioner') AS setting
FROM code
LEFT JOIN place_of_service ON code.place_of_service = place_of_service.place_of_service
