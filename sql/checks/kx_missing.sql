-- A line that begins at or past the year's threshold carries KX. PT and SLP share one threshold; OT has its own.
-- Lines with GA, GZ or GY say that the therapy is not covered: KX would contradict them.
SELECT
    ledger.claim_id,
    ledger.claim_line_number,
    ledger.pool,
    ledger.year,
    ledger.balance_before,
    ledger.allowed_amount,
    ledger.threshold,
    ledger.opening_balance,
    ledger.expected_before AS amounts_expected,
    expected_in_words(ledger.expected_before, ledger.stale_before) AS basis
FROM ledger_in_scope($rule) AS ledger
WHERE ledger.balance_before >= ledger.threshold AND NOT ledger.has_kx AND NOT ledger.has_liability_modifier
