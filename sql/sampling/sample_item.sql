-- The items drawn, with the codes billed in each.
WITH drawn AS (
    SELECT
        draw_order.draw_order,
        sample_frame.*
    FROM draw_order
    INNER JOIN stratum_taken ON draw_order.stratum = stratum_taken.stratum
    INNER JOIN sample_frame ON draw_order.item_number = sample_frame.item_number
    WHERE draw_order.draw_order <= stratum_taken.taken
),

billed AS (
    SELECT
        frame_line.item_key,
        string_agg(frame_line.code, ', ' ORDER BY frame_line.claim_id, frame_line.claim_line_number) AS codes
    FROM frame_line
    INNER JOIN drawn ON frame_line.item_key = drawn.item_key
    GROUP BY frame_line.item_key
)

SELECT
    drawn.*,
    billed.codes
FROM drawn
LEFT JOIN billed ON drawn.item_key = billed.item_key
