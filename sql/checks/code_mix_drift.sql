-- Task training pays more than exercise: a clinician's share of 97530 in the units of both that rises from one month
-- on, far and beyond chance, may be a change of the code and not of the treatment.
WITH change AS (
    SELECT
        code_mix.*,
        code_mix.share_since - code_mix.share_before AS rise
    FROM code_mix
    CROSS JOIN audit_period
    INNER JOIN parameter AS least_units
        ON
            least_units.name = $units
            AND audit_period.period_end BETWEEN least_units.effective_from AND least_units.effective_to
    INNER JOIN parameter AS least_patients
        ON
            least_patients.name = $patients
            AND audit_period.period_end BETWEEN least_patients.effective_from AND least_patients.effective_to
    INNER JOIN parameter AS least_rise
        ON
            least_rise.name = $rise
            AND audit_period.period_end BETWEEN least_rise.effective_from AND least_rise.effective_to
    INNER JOIN parameter AS least_errors
        ON
            least_errors.name = $standard_errors
            AND audit_period.period_end BETWEEN least_errors.effective_from AND least_errors.effective_to
    WHERE
        least(code_mix.units_before, code_mix.units_since) >= least_units.value
        AND least(code_mix.patients_before, code_mix.patients_since) >= least_patients.value
        -- Rounded, so that just what is asked for is enough.
        AND round(code_mix.share_since - code_mix.share_before, 9) >= least_rise.value
        AND round(code_mix.standard_errors, 9) >= least_errors.value
    -- The month from which on the change is plainest.
    QUALIFY
        row_number() OVER (PARTITION BY code_mix.clinician_npi ORDER BY code_mix.standard_errors DESC, code_mix.since)
        = 1
),

anchor AS (
    SELECT
        line.clinician_npi,
        change.since,
        min({
            'service_date': line.service_date,
            'claim_id': line.claim_id,
            'claim_line_number': line.claim_line_number
        }) AS first_line
    FROM clinician_lines_in_scope($rule) AS line
    INNER JOIN change ON line.clinician_npi = change.clinician_npi AND line.service_date >= change.since
    WHERE line.hcpcs_code = '97530' AND line.units > 0
    GROUP BY line.clinician_npi, change.since
),

-- What the other clinicians of the discipline billed in the same months: whether they all went the same way.
peer AS (
    SELECT
        change.clinician_npi,
        sum(month.activity_units) FILTER (month.month < change.since)
        / sum(month.units) FILTER (month.month < change.since) AS share_before,
        sum(month.activity_units) FILTER (month.month >= change.since)
        / sum(month.units) FILTER (month.month >= change.since) AS share_since
    FROM change
    INNER JOIN code_mix_month AS month
        ON change.discipline = month.discipline AND change.clinician_npi <> month.clinician_npi
    GROUP BY change.clinician_npi
)

SELECT
    anchor.first_line.claim_id,
    anchor.first_line.claim_line_number,
    change.clinician_npi,
    change.since,
    round(100 * change.share_before)::INTEGER AS percent_before,
    round(100 * change.share_since)::INTEGER AS percent_since,
    round(100 * change.rise)::INTEGER AS rise_in_points,
    round(change.standard_errors, 1) AS standard_errors,
    change.units_before,
    change.units_since,
    change.patients_before,
    change.patients_since,
    round(100 * peer.share_before)::INTEGER AS peer_percent_before,
    round(100 * peer.share_since)::INTEGER AS peer_percent_since
FROM change
INNER JOIN anchor ON change.clinician_npi = anchor.clinician_npi
LEFT JOIN peer ON change.clinician_npi = peer.clinician_npi
