-- What the notes of one patient, day and discipline say together: minutes of a morning and an afternoon note add up.
WITH day AS (
    SELECT
        patient_id,
        service_date,
        discipline,
        min(note_id) AS note_id,
        -- Null where several clinicians wrote.
        CASE WHEN min(clinician_npi) = max(clinician_npi) THEN min(clinician_npi) END AS clinician_npi,
        -- Whose time the notes took: the first and the last of them by number.
        min(clinician_npi) AS first_npi,
        max(clinician_npi) AS last_npi,
        bool_and(by_assistant = FALSE AND clinician_npi IS NOT NULL) AS by_therapists,
        -- An uncoded service, or a treatment note without services, may be the one that was billed.
        bool_and(all_services_coded) FILTER (
            all_services_coded OR coalesce(note_type NOT IN ('progress_report', 'recertification', 'discharge'), TRUE)
        ) AS services_coded,
        CASE
            WHEN NOT bool_or(lacks_minutes OR is_unclear OR is_bare OR (has_minutes AND timed_minutes IS NULL))
                THEN sum(timed_minutes)
        END::INTEGER AS timed_minutes,
        bool_or(lacks_minutes) OR NOT bool_or(has_minutes) AS minutes_absent,
        sum(timed_services)::INTEGER AS timed_services,
        sum(services_without_times)::INTEGER AS services_without_times,
        sum(services_with_minutes)::INTEGER AS services_with_minutes,
        count(*) AS notes,
        bool_and(coalesce(by_assistant, FALSE)) AS by_assistant,
        max(coalesce(stated_minutes, stated_timed_minutes, charted_minutes)) AS visit_minutes,
        bool_or(by_student) AS by_student,
        bool_or(by_student_alone) AS by_student_alone,
        -- Null where nobody says who wrote one of them.
        CASE
            WHEN bool_or(NOT by_assistant OR (has_therapist_minutes AND NOT by_student)) THEN TRUE
            WHEN count(by_assistant) = count(*) THEN FALSE
        END AS therapist_took_part,
        sum(stated_timed_minutes)::INTEGER AS stated_timed_minutes,
        sum(charted_timed_minutes)::INTEGER AS charted_timed_minutes,
        CASE
            WHEN bool_or(
                stated_timed_minutes + charted_timed_minutes + charted_otherwise_minutes IS NOT NULL
                OR stated_minutes + charted_minutes IS NOT NULL
                OR stated_minutes < stated_timed_minutes
            )
                THEN TRUE
        END AS minutes_comparable,
        min(
            CASE
                -- Some count codes timed otherwise into the total, some all one-on-one time.
                WHEN
                    stated_timed_minutes NOT IN (
                        charted_timed_minutes,
                        charted_timed_minutes + charted_otherwise_minutes,
                        coalesce(charted_minutes, charted_timed_minutes)
                    )
                    THEN 'it states ' || stated_timed_minutes || ' timed minutes, but its timed services make '
                        || charted_timed_minutes
                WHEN charted_minutes > stated_minutes
                    THEN 'it states ' || stated_minutes || ' minutes in all, but its one-on-one services take '
                        || charted_minutes
                WHEN stated_timed_minutes > stated_minutes
                    THEN 'it states ' || stated_timed_minutes || ' timed minutes, but only ' || stated_minutes
                        || ' in all'
            END
        ) AS minutes_conflict,
        -- A report by an assistant alone is no progress report.
        bool_or(
            note_type IN ('progress_report', 'reevaluation', 'recertification', 'discharge')
            AND NOT coalesce(by_assistant_alone, FALSE)
        ) AS has_progress_report,
        coalesce(
            bool_or(
                note_type IN ('progress_report', 'reevaluation', 'recertification', 'discharge') AND by_assistant_alone
            ), FALSE
        ) AS has_assistant_report,
        bool_or(note_type = 'discharge') AS has_discharge,
        bool_or(note_type IN ('reevaluation', 'recertification')) AS has_new_plan,
        bool_or(note_type = 'evaluation') AS has_evaluation,
        bool_or(note_type IN ('evaluation', 'reevaluation')) AS evaluates,
        -- It may be a report.
        bool_or(note_type IS NULL) AS has_untyped_note
    FROM note_minutes
    GROUP BY patient_id, service_date, discipline
)

SELECT
    * EXCLUDE (minutes_absent),
    timed_minutes IS NULL AND minutes_absent AS minutes_undocumented
FROM day
