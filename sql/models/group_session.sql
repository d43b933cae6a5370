-- Each line of group therapy (97150) with the clock of its group, and the minutes of it that were one-on-one: of the
-- same patient, or of the clinician with others. Group asks for constant attendance, one-on-one for one patient.
WITH line AS (
    SELECT
        claim_id,
        claim_line_number,
        patient_id,
        service_date,
        discipline,
        plan,
        hcpcs_code,
        line_amount
    FROM therapy_line
    WHERE hcpcs_code = '97150' AND therapy AND NOT second_bill
),

-- The day's groups of the patient, taken together.
session AS (
    SELECT
        service.patient_id,
        service.service_date,
        note_minutes.discipline,
        min(service.clinician_npi) AS clinician_npi,
        min(service.start_minute) AS start_minute,
        max(service.stop_minute) AS stop_minute,
        sum(coalesce(service.minutes, service.stop_minute - service.start_minute)) AS minutes,
        count(*) = 1 AND count(service.start_minute) = 1 AS has_times,
        -- Groups without a clinician's number, or with several, cannot be held against other patients' times.
        count(service.clinician_npi) = count(*) AND min(service.clinician_npi) = max(service.clinician_npi)
            AS has_clinician
    FROM charted_service AS service
    INNER JOIN note_minutes ON service.note_id = note_minutes.note_id
    WHERE service.hcpcs_code = '97150'
    GROUP BY service.patient_id, service.service_date, note_minutes.discipline
),

block AS (
    SELECT
        patient_id,
        clinician_npi,
        service_date,
        start_minute,
        stop_minute,
        stop_minute - start_minute - minutes AS idle_minutes
    FROM time_block
    WHERE NOT is_shared
),

-- Blocks of the same patient, then of the same clinician with others: each by a key of its own.
beside AS (
    SELECT
        session.*,
        block.patient_id AS other_id,
        block.start_minute AS other_start_minute,
        block.stop_minute AS other_stop_minute,
        block.idle_minutes
    FROM session
    INNER JOIN block ON session.patient_id = block.patient_id AND session.service_date = block.service_date
    WHERE session.has_times
    UNION ALL
    SELECT
        session.*,
        block.patient_id AS other_id,
        block.start_minute AS other_start_minute,
        block.stop_minute AS other_stop_minute,
        block.idle_minutes
    FROM session
    INNER JOIN block ON session.clinician_npi = block.clinician_npi AND session.service_date = block.service_date
    WHERE session.has_times AND session.has_clinician AND session.patient_id <> block.patient_id
),

-- One-on-one blocks that cross the group's, with the minutes of them that fit nowhere else. What an assistant gave
-- within a therapist's note may have been given beside the group.
crossing AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        other_id,
        greatest(
            least(stop_minute, other_stop_minute) - greatest(start_minute, other_start_minute)
            - idle_minutes
            - greatest(stop_minute - start_minute - minutes, 0), 0
        ) AS minutes
    FROM beside
    WHERE start_minute < other_stop_minute AND stop_minute > other_start_minute
),

crossed AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        coalesce(sum(minutes) FILTER (other_id = patient_id), 0)::INTEGER AS own_minutes,
        coalesce(sum(minutes) FILTER (other_id <> patient_id), 0)::INTEGER AS others_minutes,
        count(DISTINCT other_id) FILTER (other_id <> patient_id AND minutes > 0) AS others
    FROM crossing
    GROUP BY patient_id, service_date, discipline
),

-- Services that may have been given at any time of the day.
patient_untimed AS (
    SELECT
        note_minutes.patient_id,
        note_minutes.service_date,
        sum(coalesce(note_minutes.one_on_one_without_times, 0)) AS services
    FROM note_minutes
    SEMI JOIN session
        ON note_minutes.patient_id = session.patient_id AND note_minutes.service_date = session.service_date
    GROUP BY note_minutes.patient_id, note_minutes.service_date
),

clinician_untimed AS (
    SELECT
        note_minutes.clinician_npi,
        note_minutes.service_date,
        sum(coalesce(note_minutes.one_on_one_without_times, 1)) AS services
    FROM note_minutes
    SEMI JOIN session
        ON note_minutes.clinician_npi = session.clinician_npi AND note_minutes.service_date = session.service_date
    GROUP BY note_minutes.clinician_npi, note_minutes.service_date
)

SELECT
    line.claim_id,
    line.claim_line_number,
    line.patient_id,
    line.service_date,
    line.discipline,
    line.plan,
    line.hcpcs_code,
    line.line_amount,
    session.clinician_npi,
    session.minutes::INTEGER AS group_minutes,
    coalesce(crossed.own_minutes, 0) AS own_minutes,
    coalesce(crossed.others_minutes, 0) AS others_minutes,
    coalesce(crossed.others, 0) AS others,
    CASE
        WHEN crossed.own_minutes + crossed.others_minutes > 0 THEN TRUE
        WHEN
            session.has_times
            AND session.has_clinician
            AND coalesce(patient_untimed.services, 0) = 0
            AND coalesce(clinician_untimed.services, 0) = 0
            THEN TRUE
    END AS times_known
FROM line
LEFT JOIN session
    ON
        line.patient_id = session.patient_id
        AND line.service_date = session.service_date
        AND line.discipline = session.discipline
LEFT JOIN crossed
    ON
        line.patient_id = crossed.patient_id
        AND line.service_date = crossed.service_date
        AND line.discipline = crossed.discipline
LEFT JOIN patient_untimed
    ON line.patient_id = patient_untimed.patient_id AND line.service_date = patient_untimed.service_date
LEFT JOIN clinician_untimed
    ON session.clinician_npi = clinician_untimed.clinician_npi AND line.service_date = clinician_untimed.service_date
