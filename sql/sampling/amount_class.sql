-- The histogram from which amount bands are made: items in each of 100 classes of equal width, in cents.
WITH span AS (
    SELECT
        min(amount * 100)::HUGEINT AS smallest,
        max(amount * 100)::HUGEINT AS largest
    FROM sample_frame
)

SELECT
    least(
        99,
        (100 * ((sample_frame.amount * 100)::HUGEINT - span.smallest)) // greatest(1, span.largest - span.smallest)
    ) AS class,
    any_value(span.smallest) AS smallest,
    any_value(span.largest) AS largest,
    count(*) AS items
FROM sample_frame
CROSS JOIN span
GROUP BY class
ORDER BY class
