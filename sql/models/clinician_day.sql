-- One clinician's day, whoever the patients: the timed minutes that the notes give the clinician, the clock that they
-- had to fit into, and the minutes that lie with two patients at once. Of a day that the clock does not hold, with its
-- visits, the last first.
WITH note AS (
    SELECT
        clinician_npi,
        service_date,
        patient_id,
        discipline,
        -- An assistant's minutes in a therapist's note are not the therapist's.
        CASE
            WHEN coalesce(by_assistant, FALSE) THEN timed_minutes
            WHEN timed_minutes IS NOT NULL THEN greatest(timed_minutes - assistant_timed_minutes, 0)
        END AS minutes,
        timed_services,
        services_without_times,
        one_on_one_without_times,
        first_start_minute,
        last_stop_minute
    FROM note_minutes
    WHERE clinician_npi IS NOT NULL
),

-- A patient's day may fall under two plans; the note is one.
line AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        min({'claim_id': claim_id, 'claim_line_number': claim_line_number, 'plan': plan}) AS first_line,
        sum(day_amount) AS day_amount
    FROM episode_day
    GROUP BY patient_id, service_date, discipline
),

unit AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        sum(timed_amount) AS amount,
        sum(timed_units_billed) AS units
    FROM visit
    GROUP BY patient_id, service_date, discipline
),

working_day AS (
    SELECT max(value) AS minutes FROM parameter
    WHERE name = 'clinic.working_day_minutes'
),

day AS (
    SELECT
        note.clinician_npi,
        note.service_date,
        min(line.first_line) AS first_line,
        -- A note without minutes leaves the sum open, unless it is more than a working day as it is.
        CASE
            WHEN count(*) = count(note.minutes) OR sum(note.minutes) > any_value(working_day.minutes)
                THEN sum(note.minutes)
        END::INTEGER AS minutes,
        count(DISTINCT note.patient_id) AS patients,
        sum(unit.amount) / nullif(sum(unit.units), 0) AS unit_amount,
        -- The clock is known where each timed service has its times.
        CASE
            WHEN sum(note.services_without_times) = 0 AND count(note.first_start_minute) = count(*)
                THEN max(note.last_stop_minute) - min(note.first_start_minute)
        END AS span_minutes,
        CASE WHEN sum(coalesce(note.one_on_one_without_times, 1)) = 0 THEN TRUE END AS times_known
    FROM note
    INNER JOIN line
        ON
            note.patient_id = line.patient_id
            AND note.service_date = line.service_date
            AND note.discipline = line.discipline
    LEFT JOIN unit
        ON
            note.patient_id = unit.patient_id
            AND note.service_date = unit.service_date
            AND note.discipline = unit.discipline
    CROSS JOIN working_day
    GROUP BY note.clinician_npi, note.service_date
),

-- A morning's and an afternoon's note of one patient are one visit; without times the order is that of the patients.
overfull_visit AS (
    SELECT
        day.clinician_npi,
        day.service_date,
        note.patient_id,
        note.discipline,
        max(note.last_stop_minute) AS last_stop_minute,
        any_value(unit.units)::INTEGER AS units
    FROM day
    INNER JOIN note ON day.clinician_npi = note.clinician_npi AND day.service_date = note.service_date
    INNER JOIN unit
        ON
            note.patient_id = unit.patient_id
            AND note.service_date = unit.service_date
            AND note.discipline = unit.discipline
    WHERE day.minutes > coalesce(day.span_minutes, 1440) AND unit.units > 0
    GROUP BY day.clinician_npi, day.service_date, note.patient_id, note.discipline
),

overfull AS (
    SELECT
        clinician_npi,
        service_date,
        sum(units)::INTEGER AS units_billed,
        list(
            {'patient_id': patient_id, 'discipline': discipline, 'units': units}
            ORDER BY last_stop_minute DESC NULLS FIRST, patient_id DESC, discipline DESC
        ) AS visits
    FROM overfull_visit
    GROUP BY clinician_npi, service_date
)

SELECT
    day.clinician_npi,
    day.service_date,
    day.first_line.plan,
    day.first_line.claim_id,
    day.first_line.claim_line_number,
    day.minutes,
    day.patients,
    day.unit_amount,
    overfull.units_billed,
    overfull.visits,
    coalesce(day.span_minutes, 1440)::INTEGER AS clock_minutes,
    CASE WHEN double_booking.double_booked_minutes > 0 THEN TRUE ELSE day.times_known END AS times_known,
    coalesce(double_booking.double_booked_minutes, 0) AS double_booked_minutes,
    double_booking.patients AS double_booked_patients,
    coalesce(later_line.first_line, day.first_line) AS later_line,
    later_line.day_amount AS later_amount
FROM day
LEFT JOIN overfull ON day.clinician_npi = overfull.clinician_npi AND day.service_date = overfull.service_date
LEFT JOIN double_booking
    ON day.clinician_npi = double_booking.clinician_npi AND day.service_date = double_booking.service_date
LEFT JOIN line AS later_line
    ON
        double_booking.later.patient_id = later_line.patient_id
        AND double_booking.later.discipline = later_line.discipline
        AND double_booking.service_date = later_line.service_date
