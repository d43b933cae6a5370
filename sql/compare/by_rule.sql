-- Per rule: what is new, goes on, came again, was resolved or is gone for another reason.
SELECT
    rule,
    any_value(title) AS title,
    count(*) FILTER (WHERE status = 'new') AS new,
    count(*) FILTER (WHERE status = 'persisting') AS persisting,
    count(*) FILTER (WHERE changed) AS changed,
    count(*) FILTER (WHERE status = 'reopened') AS reopened,
    count(*) FILTER (WHERE status = 'resolved') AS resolved,
    count(*) FILTER (WHERE status = 'dismissed') AS dismissed,
    count(*) FILTER (WHERE status = 'gone') AS gone,
    sum(amount_before) AS amount_before,
    sum(amount_after) AS amount_after
FROM finding_change
GROUP BY rule
ORDER BY greatest(sum(amount_before), sum(amount_after)) DESC, count(*) DESC, rule
