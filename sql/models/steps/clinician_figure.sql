-- What each clinician's profile is reckoned from, for the audited period (month is null) and for each of its months: by
-- metric, what is counted and what it is divided by.
WITH episode AS (
    SELECT DISTINCT
        patient_id,
        discipline,
        service_date,
        episode_start
    FROM episode_day
),

-- A clinician has one discipline: that of most lines.
usual AS (
    SELECT
        rendering_npi,
        arg_max(discipline, (lines, discipline)) AS discipline
    FROM (
        SELECT
            rendering_npi,
            discipline,
            sum(lines) AS lines
        FROM clinician_visit
        GROUP BY rendering_npi, discipline
    ) AS line
    GROUP BY rendering_npi
),

total AS (
    SELECT
        visit.rendering_npi,
        strftime(visit.service_date, '%Y-%m') AS month,
        count(*) AS visits,
        count(*) FILTER (visit.timed_units > 0) AS timed_visits,
        count(visit.timed_minutes) AS visits_with_minutes,
        count(DISTINCT visit.service_date) AS days,
        count(DISTINCT {
            'patient_id': visit.patient_id, 'discipline': visit.discipline, 'episode_start': episode.episode_start
        }) AS episodes,
        count(DISTINCT visit.patient_id) FILTER (visit.allowed_amount IS NOT NULL) AS patients_with_amount,
        sum(visit.allowed_amount) AS allowed_amount,
        sum(visit.timed_minutes) AS timed_minutes,
        sum(visit.timed_units) FILTER (visit.timed_minutes IS NOT NULL) AS timed_units_with_minutes,
        sum(visit.lines) AS lines,
        sum(visit.timed_lines) AS timed_lines,
        sum(visit.activity_lines) AS activity_lines,
        sum(visit.timed_units) AS timed_units,
        sum(visit.activity_units) AS activity_units,
        sum(visit.activity_and_exercise_units) AS activity_and_exercise_units,
        sum(visit.distinct_service_lines) AS distinct_service_lines,
        sum(visit.kx_may_be_due_lines) AS kx_may_be_due_lines,
        sum(visit.kx_lines) AS kx_lines
    FROM clinician_visit AS visit
    LEFT JOIN episode
        ON
            visit.patient_id = episode.patient_id
            AND visit.discipline = episode.discipline
            AND visit.service_date = episode.service_date
    GROUP BY GROUPING SETS ((visit.rendering_npi), (visit.rendering_npi, strftime(visit.service_date, '%Y-%m')))
),

figure AS (
    SELECT
        rendering_npi,
        month,
        unnest([
            {'metric': 'activity_line_share', 'numerator': activity_lines, 'denominator': timed_lines},
            {'metric': 'activity_unit_share', 'numerator': activity_units, 'denominator': timed_units},
            {
                'metric': 'activity_over_exercise',
                'numerator': activity_units,
                'denominator': activity_and_exercise_units
            },
            {'metric': 'timed_units_per_visit', 'numerator': timed_units, 'denominator': timed_visits},
            {'metric': 'minutes_per_visit', 'numerator': timed_minutes, 'denominator': visits_with_minutes},
            {'metric': 'minutes_per_unit', 'numerator': timed_minutes, 'denominator': timed_units_with_minutes},
            {'metric': 'kx_share', 'numerator': kx_lines, 'denominator': kx_may_be_due_lines},
            {'metric': 'distinct_service_share', 'numerator': distinct_service_lines, 'denominator': lines},
            {
                'metric': 'allowed_per_patient',
                'numerator': allowed_amount::DECIMAL(18, 2),
                'denominator': patients_with_amount
            },
            {'metric': 'visits_per_episode', 'numerator': visits, 'denominator': episodes},
            {'metric': 'patients_per_day', 'numerator': visits, 'denominator': days}
        ], recursive := TRUE)
    FROM total
)

SELECT
    figure.rendering_npi AS clinician_npi,
    usual.discipline,
    figure.month,
    figure.metric,
    figure.numerator::DECIMAL(18, 2) AS numerator,
    figure.denominator::BIGINT AS denominator,
    figure.numerator::DOUBLE / figure.denominator AS value,
    -- Counts below the smallest cell are not for other eyes, nor those that a share lets one reckon: the rest of it.
    -- Dollars are no count.
    figure.denominator < smallest.value
    OR (profile_metric.kind <> 'money' AND figure.numerator < smallest.value)
    OR (
        profile_metric.kind = 'share'
        AND figure.denominator > figure.numerator
        AND figure.denominator - figure.numerator < smallest.value
    ) AS suppressed,
    figure.denominator >= smallest.value AS comparable
FROM figure
INNER JOIN usual ON figure.rendering_npi = usual.rendering_npi
INNER JOIN profile_metric ON figure.metric = profile_metric.metric
CROSS JOIN audit_period
INNER JOIN parameter AS smallest
    ON
        smallest.name = 'clinic.smallest_cell'
        AND audit_period.period_end BETWEEN smallest.effective_from AND smallest.effective_to
WHERE figure.denominator > 0 AND figure.numerator IS NOT NULL
