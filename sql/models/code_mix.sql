-- A clinician's units of 97530 and 97110 before and since the first of each month of the audited period, up to its end,
-- and how far the share of 97530 has risen beyond chance. Visits of one patient are alike, so chance is reckoned from
-- patient to patient: each side's share is a ratio of sums over patients, with the variance of such a ratio.
WITH
-- What each patient has had up to a month, and from a month on, that month left out.
running AS (
    SELECT
        *,
        coalesce(sum(units) OVER earlier, 0) AS units_earlier,
        coalesce(sum(activity_units) OVER earlier, 0) AS activity_earlier,
        coalesce(sum(units) OVER later, 0) AS units_later,
        coalesce(sum(activity_units) OVER later, 0) AS activity_later
    FROM code_mix_patient
    WINDOW
        earlier AS (
            PARTITION BY rendering_npi, patient_id ORDER BY month ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ),
        later AS (
            PARTITION BY rendering_npi, patient_id ORDER BY month ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        )
),

-- What a month adds to the clinician's sums of squares over patients, on either side: (earlier + this)^2 - earlier^2.
added AS (
    SELECT
        rendering_npi,
        month,
        min(discipline) AS discipline,
        sum(units) AS units,
        sum(activity_units) AS activity,
        count(*) FILTER (units_earlier = 0) AS patients_before,
        count(*) FILTER (units_later = 0) AS patients_since,
        sum(units * (2 * units_earlier + units)) AS uu_before,
        sum(activity_units * (2 * activity_earlier + activity_units)) AS aa_before,
        sum(activity_units * units_earlier + activity_earlier * units + activity_units * units) AS au_before,
        sum(units * (2 * units_later + units)) AS uu_since,
        sum(activity_units * (2 * activity_later + activity_units)) AS aa_since,
        sum(activity_units * units_later + activity_later * units + activity_units * units) AS au_since
    FROM running
    GROUP BY rendering_npi, month
),

side AS (
    SELECT
        rendering_npi,
        discipline,
        month AS since,
        sum(units) OVER before AS units_before,
        sum(activity) OVER before AS activity_before,
        sum(patients_before) OVER before AS patients_before,
        sum(uu_before) OVER before AS uu_before,
        sum(aa_before) OVER before AS aa_before,
        sum(au_before) OVER before AS au_before,
        sum(units) OVER onward AS units_since,
        sum(activity) OVER onward AS activity_since,
        sum(patients_since) OVER onward AS patients_since,
        sum(uu_since) OVER onward AS uu_since,
        sum(aa_since) OVER onward AS aa_since,
        sum(au_since) OVER onward AS au_since
    FROM added
    WINDOW
        before AS (PARTITION BY rendering_npi ORDER BY month ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        onward AS (PARTITION BY rendering_npi ORDER BY month ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
),

share AS (
    SELECT
        *,
        activity_before / units_before AS share_before,
        activity_since / units_since AS share_since
    FROM side
    WHERE units_before > 0
),

spread AS (
    SELECT
        *,
        patients_before / nullif(patients_before - 1, 0) * greatest(
            aa_before - 2 * share_before * au_before + share_before * share_before * uu_before, 0
        ) / (units_before * units_before)
        + patients_since / nullif(patients_since - 1, 0) * greatest(
            aa_since - 2 * share_since * au_since + share_since * share_since * uu_since, 0
        ) / (units_since * units_since) AS variance_of_patients,
        -- No less than that of units drawn one by one: few patients may be alike by chance.
        (activity_before + activity_since) / (units_before + units_since)
        * (1 - (activity_before + activity_since) / (units_before + units_since))
        * (1 / units_before + 1 / units_since) AS variance_of_units
    FROM share
)

SELECT
    spread.rendering_npi AS clinician_npi,
    spread.discipline,
    spread.since,
    spread.units_before::BIGINT AS units_before,
    spread.units_since::BIGINT AS units_since,
    spread.patients_before::BIGINT AS patients_before,
    spread.patients_since::BIGINT AS patients_since,
    spread.share_before,
    spread.share_since,
    (spread.share_since - spread.share_before)
    / nullif(sqrt(greatest(spread.variance_of_patients, spread.variance_of_units)), 0) AS standard_errors
FROM spread
INNER JOIN audit_period ON spread.since >= date_trunc('month', audit_period.period_start)
