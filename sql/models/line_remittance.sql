-- Each remittance line with the one claim line that it is about: by the line's number, else by the best score, the best
-- pair first; what the payer judged together takes each claim line once.
WITH RECURSIVE turn AS (
    SELECT
        remitted_id,
        line_id,
        answered,
        place,
        match_score,
        FALSE AS chosen
    FROM match_candidate
    UNION ALL (
        WITH best AS (
            SELECT
                *,
                place = min(place) OVER (PARTITION BY remitted_id) AND place = min(place) OVER (PARTITION BY answered)
                    AS is_best
            FROM turn
            WHERE NOT chosen
        ),

        settled AS (
            SELECT
                *,
                bool_or(is_best) OVER (PARTITION BY remitted_id) OR bool_or(is_best) OVER (PARTITION BY answered)
                    AS is_settled
            FROM best
        )

        SELECT
            remitted_id,
            line_id,
            answered,
            place,
            match_score,
            is_best AS chosen
        FROM settled
        WHERE is_best OR NOT is_settled
    )
),

matched AS (
    SELECT
        remitted_id,
        line_id,
        match_key,
        match_score
    FROM keyed_match
    UNION ALL
    SELECT
        remitted_id,
        line_id,
        'scored' AS match_key,
        match_score
    FROM turn
    WHERE chosen
)

SELECT
    matched.line_id,
    current_line.claim_id,
    current_line.claim_line_number,
    matched.remitted_id,
    remitted_line.remittance_id,
    remitted_line.remittance_line_number,
    matched.match_key,
    matched.match_score
FROM matched
INNER JOIN current_line ON matched.line_id = current_line.line_id
INNER JOIN remitted_line ON matched.remitted_id = remitted_line.remitted_id
