-- Where start and stop are the clinic's (or the payer's) practice, a timed service without them stands out.
SELECT
    claim_id,
    claim_line_number,
    timed_services AS services,
    services_without_times AS without_times
FROM visits_in_scope($rule)
WHERE start_stop_practised AND services_without_times > 0
