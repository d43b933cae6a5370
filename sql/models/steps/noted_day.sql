-- Each treatment day as rules about its notes judge it: once, whoever pays.
SELECT
    hash(patient_id, discipline, service_date) AS treatment_day_number,
    arg_min(plan, claim_id) AS plan,
    min(claim_id) AS claim_id,
    arg_min(claim_line_number, claim_id) AS claim_line_number,
    any_value(episode_start) AS episode_start,
    bool_or(has_new_plan) AS has_new_plan
FROM episode_day
GROUP BY treatment_day_number
