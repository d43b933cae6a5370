-- Each stratum of the frame: its items and dollars, and what its spread is reckoned from (cents, so that sums are
-- exact).
SELECT
    stratum,
    count(*) AS items,
    sum(amount)::DECIMAL(18, 2) AS amount,
    sum(amount_at_risk)::DECIMAL(18, 2) AS amount_at_risk,
    sum((amount * 100)::HUGEINT)::HUGEINT AS cents,
    sum((amount * 100)::HUGEINT * (amount * 100)::HUGEINT)::HUGEINT AS cents_squared,
    sum((amount_at_risk * 100)::HUGEINT)::HUGEINT AS cents_at_risk,
    sum((amount_at_risk * 100)::HUGEINT * (amount_at_risk * 100)::HUGEINT)::HUGEINT AS cents_at_risk_squared
FROM sample_frame
GROUP BY stratum
ORDER BY stratum
