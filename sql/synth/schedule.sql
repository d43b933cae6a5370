-- When each visit took place and who gave it. A clinician's day has a morning and an afternoon, in which visits follow
-- one another; what does not fit goes to a relief clinician. Evenings are for the cases that two visits share.
CREATE OR REPLACE TABLE schedule AS
WITH length AS (
    SELECT
        visit_id,
        max(block_from + block_minutes) AS minutes
    FROM service
    GROUP BY visit_id
),

booked AS (
    SELECT
        visit.visit_id,
        visit.site,
        if(visit.by_assistant, visit.credential || 'A', visit.credential) AS credential,
        if(visit.by_assistant, visit.assistant_post, visit.therapist_post) AS post,
        visit.service_date,
        coalesce(visit.spread, 'session') AS spread,
        length.minutes,
        visit.lot // 1000003 % 1000003 AS turn,
        -- The same day's other discipline comes in the other half of the day.
        CASE WHEN visit.same_days THEN (visit.discipline <> 'PT')::INTEGER ELSE visit.lot // 11 % 2 END AS half,
        if(visit.spread IS NULL, visit.lot // 23 % 6, 0) AS pause
    FROM visit
    INNER JOIN length USING (visit_id)
),

queued AS (
    SELECT
        *,
        sum(minutes + pause) OVER (
            PARTITION BY site, credential, post, service_date, spread, if(spread = 'session', half, 0)
            ORDER BY minutes <= 60, turn, visit_id
            ROWS UNBOUNDED PRECEDING
        ) - minutes - pause AS wait
    FROM booked
),

-- Half a day holds 210 minutes. Relief clinicians begin a visit within 80 minutes, so that the longest ends in time.
relieved AS (
    SELECT
        *,
        sum(minutes + pause) OVER (
            PARTITION BY site, credential, service_date, half ORDER BY post, wait, visit_id ROWS UNBOUNDED PRECEDING
        ) - minutes - pause AS relief_wait
    FROM queued
    WHERE spread = 'session' AND wait + minutes > 210
),

placed AS (
    SELECT
        queued.visit_id,
        queued.site,
        queued.credential,
        if(relieved.visit_id IS NULL, queued.post, 80 + relieved.relief_wait // 80)::INTEGER AS post,
        CASE
            WHEN relieved.visit_id IS NOT NULL THEN if(queued.half = 0, 480, 750) + relieved.relief_wait % 80
            WHEN queued.spread = 'session' THEN if(queued.half = 0, 480, 750) + queued.wait
            WHEN queued.spread = 'day' THEN 480 + queued.wait
            ELSE 1020
        END::INTEGER AS start_minute
    FROM queued
    LEFT JOIN relieved USING (visit_id)
)

SELECT
    placed.visit_id,
    placed.start_minute,
    placed.credential AS writer_credential,
    placed.site,
    visit.discipline,
    visit.credential,
    placed.post AS writer_post,
    if(visit.by_assistant, visit.therapist_post, placed.post)::INTEGER AS therapist_post
FROM placed
INNER JOIN visit USING (visit_id);

-- Everyone who billed or wrote a note: a site's number and post make the clinician's.
CREATE OR REPLACE TABLE clinician AS
WITH post AS (
    SELECT site, discipline, writer_credential AS credential, writer_post AS post FROM schedule
    UNION
    SELECT site, discipline, credential, therapist_post FROM schedule
)

SELECT
    *,
    site * 1000 + 200 * list_position(['PT', 'PTA', 'OT', 'OTA', 'SLP'], credential) - 200 + post AS number,
    npi(199000000 + site * 1000 + 200 * list_position(['PT', 'PTA', 'OT', 'OTA', 'SLP'], credential) - 200 + post)
        AS npi
FROM post;

CREATE OR REPLACE TABLE treated AS
SELECT
    schedule.visit_id,
    schedule.start_minute,
    schedule.writer_credential,
    therapist.npi AS therapist_npi,
    writer.npi AS writer_npi
FROM schedule
INNER JOIN clinician AS therapist
    ON
        schedule.site = therapist.site
        AND schedule.credential = therapist.credential
        AND schedule.therapist_post = therapist.post
INNER JOIN clinician AS writer
    ON
        schedule.site = writer.site
        AND schedule.writer_credential = writer.credential
        AND schedule.writer_post = writer.post;

CREATE OR REPLACE TABLE site AS
SELECT DISTINCT
    site,
    npi(198000000 + site) AS billing_npi
FROM clinician;

-- Under whose number a visit is billed: the therapist's; where a case says so the assistant's, or another therapist's
-- of the discipline.
CREATE OR REPLACE TABLE rendering AS
SELECT
    visit.visit_id,
    CASE visit.plant
        WHEN 'billed_under_assistant' THEN treated.writer_npi
        WHEN 'billed_under_other'
            THEN (
                SELECT min(colleague.npi)
                FROM clinician AS colleague
                WHERE
                    colleague.discipline = visit.discipline
                    AND colleague.credential = visit.credential
                    AND colleague.npi <> treated.therapist_npi
            )
        ELSE treated.therapist_npi
    END AS rendering_npi
FROM visit
INNER JOIN treated ON visit.visit_id = treated.visit_id;
