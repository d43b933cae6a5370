-- The order in which the items of each stratum are drawn: by the SHA-256 of seed and key, so that neither the order of
-- rows nor the program matters, and a larger sample with the same seed holds the smaller one.
SELECT
    item_number,
    item_key,
    stratum,
    row_number() OVER (PARTITION BY stratum ORDER BY sha256(concat($seed, '|', item_key)), item_key) AS draw_order
FROM sample_frame
