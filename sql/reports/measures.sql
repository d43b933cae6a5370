-- The measures that notes state, for the timelines: which way each gets better, and how a value is told.
SELECT
    measure,
    better,
    words
FROM measure
ORDER BY measure
