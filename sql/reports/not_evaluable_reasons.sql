-- Why rules could not judge what they were to judge, the most frequent reason first.
WITH reason AS (
    SELECT
        rule,
        unnest(json_keys(reasons)) AS reason,
        reasons
    FROM coverage
)

SELECT
    reason,
    sum(json_extract(reasons, '/' || replace(replace(reason, '~', '~0'), '/', '~1'))::BIGINT)::BIGINT AS not_evaluable,
    count(*) AS rules
FROM reason
GROUP BY reason
ORDER BY not_evaluable DESC, reason
