-- The line that takes the year's total past the threshold: common practice puts KX on it already.
SELECT
    ledger.claim_id,
    ledger.claim_line_number,
    ledger.pool,
    ledger.year,
    ledger.balance_before,
    ledger.allowed_amount,
    ledger.balance_after,
    ledger.threshold,
    ledger.opening_balance,
    ledger.amounts_expected,
    expected_in_words(ledger.amounts_expected, ledger.amounts_stale) AS basis
FROM ledger_in_scope($rule) AS ledger
WHERE
    ledger.balance_before < ledger.threshold
    AND ledger.balance_after > ledger.threshold
    AND NOT ledger.has_kx
    AND NOT ledger.has_liability_modifier
    AND ledger.balance_known
