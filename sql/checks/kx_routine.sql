-- KX attests that the threshold is passed; on lines well below it, it looks like routine use and invites inquiry.
SELECT
    ledger.claim_id,
    ledger.claim_line_number,
    ledger.pool,
    ledger.year,
    ledger.balance_after,
    ledger.threshold,
    round(100 * ledger.balance_after / ledger.threshold)::INTEGER AS percent_of_threshold,
    ledger.opening_balance,
    ledger.amounts_expected,
    expected_in_words(ledger.amounts_expected, ledger.amounts_stale) AS basis
FROM ledger_in_scope($rule) AS ledger
INNER JOIN parameter
    ON parameter.name = $share AND ledger.service_date BETWEEN parameter.effective_from AND parameter.effective_to
WHERE
    ledger.has_kx
    AND ledger.balance_after < ledger.threshold * parameter.value
    AND ledger.balance_known
    AND ledger.elsewhere_known
