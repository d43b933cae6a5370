-- What is the same for every patient of the synthetic clinic: payers, fees, recipes of visits, cases, clinicians.
-- Randomness is md5 of seed, stream and row: the same on every machine, for any number of threads and any DuckDB.
CREATE MACRO draw(stream, id) AS md5_number_lower(concat_ws(':', getvariable('seed'), stream, id));

CREATE MACRO pick(items, stream, id) AS items[1 + (draw(stream, id) % len(items))::INTEGER];

-- A National Provider Identifier: nine digits and their Luhn check digit (24 stands for the prefix 80840).
CREATE MACRO npi(nine) AS nine::VARCHAR || (
    9 * (24 + list_sum(list_transform(
        range(1, 10),
        lambda i: [[0, 2, 4, 6, 8, 1, 3, 5, 7, 9], range(10)][
            2 - (i % 2)::INTEGER
        ][1 + substr(nine::VARCHAR, i::INTEGER, 1)::INTEGER]
    ))) % 10
)::INTEGER::VARCHAR;

CREATE MACRO us_date(day) AS strftime(day, '%-m/%-d/%Y');

-- A time of day from minutes after midnight: 9:05 AM.
CREATE MACRO clock_time(minute) AS format(
    '{}:{:02d} {}', (minute // 60 + 11) % 12 + 1, minute % 60, if(minute < 720, 'AM', 'PM')
);

-- Patients of fifty: how many each payer covers. Factor: allowed amount against Medicare's.
CREATE TABLE payer AS
WITH share (payer, plan, unit_method, factor, patients) AS (
    VALUES
    ('MEDICARE PART B', 'medicare_part_b', 'cms', 1.00::DECIMAL(4, 2), 11),
    ('Medicare - Palmetto GBA', 'medicare_part_b', 'cms', 1.00, 8),
    ('UHC MEDICARE ADVANTAGE', 'medicare_advantage', 'cms', 0.98, 5),
    ('AETNA', 'aetna', 'midpoint', 1.08, 4),
    ('BCBS OF SC', 'blue_cross', 'midpoint', 1.15, 6),
    ('UNITEDHEALTHCARE', 'unitedhealthcare', 'cms', 0.95, 4),
    ('TRICARE EAST', 'tricare', 'cms', 0.97, 3),
    ('SC MEDICAID', 'medicaid', 'cms', 0.72, 3),
    ('CIGNA', 'cigna', 'midpoint', 0.99, 3),
    ('WORKERS COMP - TRAVELERS', 'workers_compensation', 'midpoint', 1.30, 2),
    ('SELF-FUNDED TPA 22', NULL, 'midpoint', 1.02, 1)
)

SELECT
    * EXCLUDE (patients),
    -- 17 is prime to 50, so that payers are spread over the patient numbers.
    17 * (row_number() OVER (ORDER BY payer, place) - 1) % 50 AS slot
FROM share, unnest(range(patients)) AS one (place);

CREATE TABLE threshold (year INTEGER, amount DECIMAL(12, 2));
INSERT INTO threshold VALUES (2024, 2330.00), (2025, 2410.00), (2026, 2480.00);

-- Relative value units of 2025 (work, non-facility practice expense, malpractice), at one national conversion factor.
CREATE TABLE fee AS
WITH rvu (hcpcs_code, timed, work, practice, malpractice) AS (
    VALUES
    ('92507', FALSE, 1.30::DECIMAL(6, 2), 0.99::DECIMAL(6, 2), 0.03::DECIMAL(6, 2)),
    ('92521', FALSE, 2.24, 1.75, 0.05),
    ('92522', FALSE, 1.92, 1.38, 0.06),
    ('92523', FALSE, 3.84, 2.97, 0.10),
    ('92524', FALSE, 1.92, 1.33, 0.05),
    ('92526', FALSE, 1.34, 1.19, 0.03),
    ('97032', TRUE, 0.25, 0.18, 0.01),
    ('97035', TRUE, 0.21, 0.21, 0.01),
    ('97110', TRUE, 0.45, 0.43, 0.01),
    ('97112', TRUE, 0.50, 0.48, 0.01),
    ('97113', TRUE, 0.48, 0.64, 0.01),
    ('97116', TRUE, 0.45, 0.43, 0.01),
    ('97124', TRUE, 0.35, 0.56, 0.01),
    ('97140', TRUE, 0.43, 0.40, 0.01),
    ('97150', FALSE, 0.29, 0.24, 0.01),
    ('97161', FALSE, 1.54, 1.45, 0.04),
    ('97162', FALSE, 1.54, 1.45, 0.04),
    ('97163', FALSE, 1.54, 1.45, 0.04),
    ('97164', FALSE, 0.96, 1.11, 0.02),
    ('97165', FALSE, 1.54, 1.53, 0.04),
    ('97166', FALSE, 1.54, 1.53, 0.04),
    ('97167', FALSE, 1.54, 1.53, 0.04),
    ('97168', FALSE, 0.96, 1.16, 0.03),
    ('97530', TRUE, 0.44, 0.62, 0.01),
    ('97535', TRUE, 0.45, 0.53, 0.01),
    ('97542', TRUE, 0.48, 0.46, 0.01),
    ('97750', TRUE, 0.45, 0.57, 0.01),
    ('G0283', FALSE, 0.18, 0.19, 0.01)
)

SELECT
    hcpcs_code,
    timed,
    practice,
    round((work + practice + malpractice) * 33.4009, 2)::DECIMAL(12, 2) AS full_amount,
    round((work + practice / 2 + malpractice) * 33.4009, 2)::DECIMAL(12, 2) AS reduced_amount,
    (
        5 * ceil((work + practice + malpractice) * 33.4009 * (2 + draw('charge', hcpcs_code) % 11 / 10) / 5)
    )::DECIMAL(12, 2) AS charge_amount
FROM rvu;

-- The contract of one payer: its fees by unit, which no other service of a day reduces.
CREATE TABLE contract AS
SELECT
    payer.plan,
    fee.hcpcs_code,
    round(fee.full_amount * payer.factor, 2)::DECIMAL(12, 2) AS fee_amount
FROM fee
CROSS JOIN (SELECT DISTINCT plan, factor FROM payer WHERE plan = 'blue_cross') AS payer;

-- Plans that ask for CQ and CO, that cap the timed units of a day, and that want 97530 and 97140 set apart.
CREATE TABLE plan_practice AS
SELECT DISTINCT
    plan,
    unit_method,
    coalesce(plan IN ('medicare_part_b', 'medicare_advantage'), FALSE) AS medicare,
    coalesce(plan IN ('medicare_part_b', 'medicare_advantage', 'tricare', 'unitedhealthcare'), FALSE)
        AS asks_for_assistant,
    coalesce(plan IN ('unitedhealthcare', 'aetna'), FALSE) AS capped,
    coalesce(plan IN ('aetna', 'blue_cross', 'cigna'), FALSE) AS sets_manual_therapy_apart
FROM payer;

-- Two to sixteen places of service for each part of the patients, so that a clinician's day lies within one part.
SET VARIABLE sites_per_part = greatest(2, getvariable('patients') // getvariable('parts') // 600);

-- How many clinicians of a credential a site has, so that most days are full but not too full.
CREATE TABLE staff AS
SELECT
    credential,
    greatest(
        1, round(getvariable('patients') / getvariable('parts') / getvariable('sites_per_part') * patient_share / 26)
    )::INTEGER AS posts
FROM (
    VALUES ('PT', 0.70), ('PTA', 0.27), ('OT', 0.38), ('OTA', 0.10), ('SLP', 0.20)
) AS role (credential, patient_share);
