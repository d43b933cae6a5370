-- Each skilled activity of an episode, visit by visit: since which visit none of its measures got better and the task
-- was made no harder. A visit is held against the best so far, so better and worse by turns is no gain.
WITH placed AS (
    SELECT
        visit.activity_number,
        visit.visit_number,
        visit.day_number,
        visit.service_date,
        visit.plateau_answered,
        gain.declines,
        -- The first visit, a gain, a harder task, a decision, ground lost: from here the count begins.
        visit.visit_number = 1 OR visit.plateau_answered OR visit.has_new_plan OR gain.is_lost OR gain.gains AS begins
    FROM activity_visit AS visit
    INNER JOIN activity_gain AS gain ON visit.day_number = gain.day_number
),

run AS (
    SELECT
        *,
        max(CASE WHEN begins THEN service_date END) OVER visit_order AS measure_since,
        max(CASE WHEN begins THEN visit_number END) OVER visit_order AS first_number,
        min(CASE WHEN begins THEN visit_number END) OVER later AS next_number,
        min(CASE WHEN plateau_answered THEN visit_number END) OVER later AS answered_number
    FROM placed
    WINDOW
        visit_order AS (PARTITION BY activity_number ORDER BY visit_number),
        later AS (visit_order ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
),

-- All visits of the episode, with the activity or without.
episode AS (
    SELECT
        patient_id,
        discipline,
        episode_start,
        count(*) AS visits
    FROM treatment_day
    GROUP BY patient_id, discipline, episode_start
),

frequent AS (
    SELECT
        max(value) FILTER (name = 'clinic.frequent_activity_visits') AS visits,
        max(value) FILTER (name = 'clinic.frequent_activity_share') AS share
    FROM parameter
)

SELECT
    frame.patient_id,
    frame.discipline,
    frame.hcpcs_code,
    frame.service_date,
    frame.plan,
    frame.episode_start,
    frame.note_id,
    frame.claim_id,
    frame.claim_line_number,
    frame.own_text_key,
    frame.day_number,
    visit.measures_so_far,
    frame.amount,
    nullif(frame.described, FALSE) AS described,
    visit.visit_number,
    visit.visits_of_activity,
    episode.visits AS episode_visits,
    -- A task of daily life or work at nearly every visit of a long episode.
    procedure_code.functional_activity
    AND episode.visits >= frequent.visits
    AND visit.visits_of_activity >= frequent.share * episode.visits AS is_frequent,
    -- Null, as the visits of the run are, where the activity has too few visits to stall.
    run.measure_since,
    run.visit_number - run.first_number + 1 AS measure_visits,
    -- Two measures and more are worse than ever in this stretch.
    coalesce(run.declines, FALSE) AS declines,
    -- The run ends with a documented plateau and a changed plan.
    coalesce(run.next_number = run.answered_number, FALSE) AS is_answered
FROM activity_frame AS frame
INNER JOIN activity_visit AS visit ON frame.day_number = visit.day_number
INNER JOIN procedure_code ON frame.hcpcs_code = procedure_code.hcpcs_code
INNER JOIN episode
    ON
        frame.patient_id = episode.patient_id
        AND frame.discipline = episode.discipline
        AND frame.episode_start = episode.episode_start
CROSS JOIN frequent
LEFT JOIN run ON frame.day_number = run.day_number
