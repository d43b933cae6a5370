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

-- What one visit holds: services as code[/59]:least-most minutes. `used` is plain (any day), normal (any day without
-- another discipline's visit), a kind of visit, or the planted case that needs just these services.
CREATE TABLE recipe AS
SELECT
    row_number() OVER (ORDER BY used, discipline, services) AS recipe_id,
    *
FROM (
    VALUES
    ('plain', 'PT', 3, '97110:12-22 97112:8-18 97140:8-15'),
    ('plain', 'PT', 3, '97530:15-24 97110:10-20 97140:8-15'),
    ('plain', 'PT', 3, '97530:14-28 97110:16-28'),
    ('plain', 'PT', 2, '97530:10-20 97112:10-20 97116:10-18'),
    ('plain', 'PT', 2, '97110:10-20 97116:10-20 97140:10-16'),
    ('plain', 'PT', 2, '97110:12-18 97112:8-15 97140:8-15 97035:8-10'),
    ('plain', 'PT', 1, '97110:15-25 97140:10-20 G0283:15-15'),
    ('plain', 'PT', 1, '97530:8-16 97110:8-16 97112:8-14 97116:8-12 97140:8-12'),
    ('plain', 'PT', 2, '97530:15-30 97140:15-25'),
    ('plain', 'PT', 1, '97032:8-12 97110:12-22 97530:12-20'),
    ('normal', 'PT', 1, '97113:22-38 97116:8-15'),
    ('normal', 'PT', 1, '97530:15-25 97542/59:15-20'),
    ('normal', 'PT', 1, '97150:30-40'),
    ('normal', 'PT', 1, '97150:20-30 97110/59:15-25'),
    ('plain', 'OT', 3, '97530:16-28 97535:14-24'),
    ('plain', 'OT', 2, '97530:15-24 97110:15-22'),
    ('plain', 'OT', 2, '97530:12-20 97535:10-18 97110:8-15'),
    ('plain', 'OT', 2, '97112:10-20 97530:12-22 97140:8-15'),
    ('plain', 'OT', 1, '97110:14-20 97140:10-18 97035:8-10'),
    ('plain', 'OT', 1, '97530:10-16 97535:10-16 97110:8-14 97112:8-14'),
    ('normal', 'OT', 1, '97535:15-22 97542:15-20'),
    ('normal', 'OT', 1, '97530:15-25 97542/59:15-20'),
    ('plain', 'SLP', 3, '92507:30-45'),
    ('plain', 'SLP', 2, '92526:30-40'),
    ('normal', 'SLP', 1, '92507:20-30 92526:20-25'),
    ('evaluation', 'PT', 2, '97161:25-35 97110:8-15'),
    ('evaluation', 'PT', 2, '97162:30-40 97530:8-16'),
    ('evaluation', 'PT', 1, '97163:35-40'),
    ('evaluation', 'OT', 2, '97165:25-35 97530:8-15'),
    ('evaluation', 'OT', 1, '97166:30-40 97535:8-15'),
    ('evaluation', 'OT', 1, '97167:35-40'),
    ('evaluation', 'SLP', 1, '92521:40-40'),
    ('evaluation', 'SLP', 1, '92522:35-40'),
    ('evaluation', 'SLP', 2, '92523:40-40'),
    ('evaluation', 'SLP', 1, '92524:35-40'),
    ('reevaluation', 'PT', 1, '97164:20-25 97110:12-20 97530:10-18'),
    ('reevaluation', 'OT', 1, '97168:20-25 97530:15-25'),
    ('repeated', 'PT', 1, '97530:15-25 97110:10-20 97140:8-12'),
    ('repeated', 'OT', 1, '97530:15-25 97535:10-20'),
    ('units_exceed', 'PT', 1, '97530:20-20 97110:10-10'),
    ('units_exceed', 'PT', 1, '97110:15-24 97140:10-20'),
    ('units_exceed', 'OT', 1, '97530:15-24 97535:10-20'),
    ('units_below', 'PT', 1, '97110:31-38 97140:16-24'),
    ('units_below', 'OT', 1, '97530:31-38 97535:16-24'),
    ('unit_on_wrong_code', 'PT', 1, '97110:30-36 97530:8-14'),
    ('unit_on_wrong_code', 'OT', 1, '97535:30-36 97530:8-14'),
    ('minutes_missing', 'PT', 1, '97530:15-24 97110:15-20'),
    ('minutes_missing', 'OT', 1, '97530:15-24 97535:15-20'),
    ('modifier_missing', 'PT', 1, '97110:15-22 97530:15-22'),
    ('modifier_missing', 'OT', 1, '97530:15-22 97535:15-22'),
    ('modifier_missing', 'SLP', 1, '92507:30-45'),
    ('two_modifiers', 'PT', 1, '97110:15-22 97530:15-22'),
    ('two_modifiers', 'OT', 1, '97530:15-22 97535:15-22'),
    ('modifier_of_other', 'PT', 1, '97530:15-22 97110:15-22'),
    ('modifier_of_other', 'OT', 1, '97530:15-22 97535:15-22'),
    ('pair_unmarked', 'PT', 1, '97530:15-25 97542:15-20'),
    ('pair_unmarked', 'PT', 1, '97113:20-25 97110:15-20'),
    ('pair_unmarked', 'PT', 1, '97150:20-30 97530:15-25'),
    ('pair_unmarked', 'OT', 1, '97530:15-25 97542:15-20'),
    ('pair_not_allowed', 'PT', 1, '97140:15-20 97124:15-20 97110:10-15'),
    ('pair_not_allowed', 'PT', 1, '97150:25-35 97750/59:15-25'),
    ('pair_not_allowed', 'OT', 1, '97140:15-20 97124:15-20'),
    ('mark_unneeded', 'PT', 1, '97530:15-28 97140/59:15-20'),
    ('mark_unneeded', 'PT', 1, '97110:15-25 97112/59:15-20'),
    ('mark_unneeded', 'OT', 1, '97530:15-25 97535/59:15-20'),
    ('note_missing', 'PT', 1, '97530:15-24 97110:15-20 97140:8-12'),
    ('note_missing', 'OT', 1, '97530:15-24 97535:15-20'),
    ('note_missing', 'SLP', 1, '92507:30-45'),
    ('service_missing', 'PT', 1, '97530:16-22 97110:15-20 97140:8-12'),
    ('service_missing', 'OT', 1, '97530:16-22 97535:15-20'),
    ('service_missing', 'SLP', 1, '92507:20-30 92526:20-25'),
    ('midpoint_exceeded', 'PT', 1, '97530:15-22 97110:10-20'),
    ('midpoint_exceeded', 'OT', 1, '97530:15-22 97535:10-20'),
    ('midpoint_missed', 'PT', 1, '97110:24-36 97530:10-20'),
    ('midpoint_missed', 'OT', 1, '97535:24-36 97530:10-20'),
    ('boundary', 'PT', 1, '97110:8-8'),
    ('boundary', 'PT', 1, '97530:15-15 97110:8-8'),
    ('boundary', 'PT', 1, '97530:20-20 97110:18-18'),
    ('boundary', 'OT', 1, '97530:31-31 97535:22-22'),
    ('below_boundary', 'PT', 1, '97530:22-22'),
    ('below_boundary', 'PT', 1, '97110:18-18 97140:13-13 97116:10-10 97035:8-8'),
    ('below_boundary', 'OT', 1, '97535:20-20 97530:17-17'),
    ('tie', 'PT', 1, '97112:20-20 97110:20-20'),
    ('tie', 'OT', 1, '97535:20-20 97530:20-20'),
    ('seven_minutes', 'PT', 1, '97110:33-33 97140:7-7'),
    ('seven_minutes', 'PT', 1, '97110:7-7 97112:7-7 97140:7-7'),
    ('seven_minutes', 'OT', 1, '97530:28-28 97140:2-2'),
    ('pair_withdrawn', 'PT', 1, '97530:15-28 97140:15-25'),
    ('pair_withdrawn', 'OT', 1, '97530:15-28 97535:15-25'),
    ('pair_marked', 'PT', 1, '97530:15-25 97542/59:15-20'),
    ('pair_marked', 'OT', 1, '97530:15-25 97542/59:15-20'),
    ('two_notes', 'PT', 1, '97110:6-6 97530:17-17'),
    ('two_notes', 'OT', 1, '97535:6-6 97530:17-17'),
    ('late_note', 'PT', 1, '97530:15-24 97110:15-20'),
    ('late_note', 'OT', 1, '97530:15-24 97535:15-20'),
    ('by_assistant', 'PT', 1, '97110:15-24 97116:15-20'),
    ('by_assistant', 'OT', 1, '97110:15-24 97535:15-20'),
    ('midpoint_boundary', 'PT', 1, '97110:8-8 97530:23-23 97140:7-7'),
    ('midpoint_boundary', 'OT', 1, '97535:8-8 97530:22-22')
) AS listed (used, discipline, weight, services);

CREATE TABLE recipe_service AS
WITH service AS (
    SELECT
        recipe_id,
        unnest(string_split(services, ' ')) AS service,
        generate_subscripts(string_split(services, ' '), 1)::INTEGER AS slot
    FROM recipe
)

SELECT
    recipe_id,
    slot,
    service[:5] AS hcpcs_code,
    contains(service, '/59') AS distinct_service,
    regexp_extract(service, ':([0-9]+)', 1)::INTEGER AS least_minutes,
    regexp_extract(service, '-([0-9]+)', 1)::INTEGER AS most_minutes
FROM service;

-- Normal days may hold plain recipes as well; a recipe is there as often as it weighs.
CREATE TABLE recipe_pool AS
WITH offered AS (
    SELECT * FROM recipe
    UNION ALL
    SELECT * REPLACE ('normal' AS used) FROM recipe
    WHERE used = 'plain'
)

SELECT
    used,
    discipline,
    list(recipe_id ORDER BY recipe_id, place) AS recipe_ids
FROM offered, unnest(range(weight)) AS one (place)
GROUP BY used, discipline;

-- Each planted case that changes one visit: where it may be put, and what an audit must (fault) or must not (near_miss)
-- say of it. Target: the slot that the truth names; null is every line of the visit. Quiet: only patients whose total
-- cannot come near the KX threshold, since a wrong modifier books the amount into another pool.
CREATE TABLE plant AS
SELECT
    *,
    row_number() OVER (PARTITION BY note_type ORDER BY plant) - 1 AS place,
    count(*) OVER (PARTITION BY note_type) AS places
FROM (
    VALUES
    ('units_exceed', 'fault', ['medicare.timed_units_exceed_minutes'], 'visit', NULL, 'cms', FALSE, 'daily'),
    ('units_below', 'fault', ['medicare.timed_units_below_minutes'], 'visit', NULL, 'cms', FALSE, 'daily'),
    ('unit_on_wrong_code', 'fault', ['medicare.timed_unit_on_wrong_code'], 'visit', NULL, 'cms', FALSE, 'daily'),
    ('minutes_missing', 'fault', ['medicare.timed_minutes_not_documented'], 'visit', NULL, 'cms', FALSE, 'daily'),
    ('modifier_missing', 'fault', ['medicare.discipline_modifier_missing'], 'line', 1, 'medicare', TRUE, 'daily'),
    ('two_modifiers', 'fault', ['medicare.discipline_modifier_conflict'], 'line', 1, 'medicare', TRUE, 'daily'),
    ('modifier_of_other', 'fault', ['medicare.discipline_modifier_conflict'], 'line', 1, 'medicare', TRUE, 'daily'),
    (
        'modifier_of_other_on_evaluation', 'fault', ['medicare.discipline_modifier_conflict'], 'line', 1, 'medicare',
        TRUE, 'evaluation'
    ),
    ('pair_unmarked', 'fault', ['medicare.ncci_pair_without_modifier'], 'visit', NULL, 'medicare', FALSE, 'daily'),
    ('pair_not_allowed', 'fault', ['medicare.ncci_pair_not_allowed'], 'visit', NULL, 'medicare', FALSE, 'daily'),
    ('mark_unneeded', 'fault', ['medicare.distinct_service_modifier_unneeded'], 'line', 2, 'medicare', FALSE, 'daily'),
    ('note_missing', 'fault', ['clinic.line_without_note'], 'line', NULL, 'any', FALSE, 'daily'),
    ('service_missing', 'fault', ['clinic.service_not_documented'], 'line', 2, 'any', FALSE, 'daily'),
    (
        'midpoint_exceeded', 'fault', ['payers.ama_midpoint.units_exceed_midpoint'], 'visit', NULL, 'midpoint', FALSE,
        'daily'
    ),
    (
        'midpoint_missed', 'fault', ['payers.ama_midpoint.units_below_midpoint'], 'visit', NULL, 'midpoint', FALSE,
        'daily'
    ),
    ('boundary', 'near_miss', ['medicare.timed_units_exceed_minutes'], 'visit', NULL, 'cms', FALSE, 'daily'),
    ('below_boundary', 'near_miss', ['medicare.timed_units_below_minutes'], 'visit', NULL, 'cms', FALSE, 'daily'),
    ('tie', 'near_miss', ['medicare.timed_unit_on_wrong_code'], 'visit', NULL, 'cms', FALSE, 'daily'),
    (
        'seven_minutes', 'near_miss', ['medicare.timed_units_exceed_minutes', 'medicare.timed_unit_on_wrong_code'],
        'visit', NULL, 'cms', FALSE, 'daily'
    ),
    ('pair_withdrawn', 'near_miss', ['medicare.ncci_pair_without_modifier'], 'visit', NULL, 'medicare', FALSE, 'daily'),
    (
        'pair_marked', 'near_miss', ['medicare.distinct_service_modifier_unneeded'], 'line', 2, 'medicare', FALSE,
        'daily'
    ),
    ('two_notes', 'near_miss', ['medicare.timed_units_exceed_minutes'], 'visit', NULL, 'cms', FALSE, 'daily'),
    ('late_note', 'near_miss', ['clinic.line_without_note'], 'line', NULL, 'any', FALSE, 'daily'),
    ('by_assistant', 'near_miss', ['medicare.discipline_modifier_conflict'], 'line', 1, 'medicare', FALSE, 'daily'),
    (
        'midpoint_boundary', 'near_miss',
        ['payers.ama_midpoint.units_exceed_midpoint', 'payers.ama_midpoint.units_below_midpoint'],
        'visit', NULL, 'midpoint', FALSE, 'daily'
    )
) AS listed (plant, kind, rules, grain, target_slot, plans, quiet, note_type);

-- Which plans a planted case may be put on.
CREATE TABLE plant_plan AS
SELECT DISTINCT
    plant.plant,
    payer.plan
FROM plant
INNER JOIN payer
    ON
        plant.plans = 'any'
        OR payer.plan IS NOT NULL AND plant.plans = payer.unit_method
        OR plant.plans = 'medicare' AND payer.plan IN ('medicare_part_b', 'medicare_advantage');

-- By how many units a planted case changes what is billed.
CREATE TABLE unit_change (plant VARCHAR, slot INTEGER, units INTEGER);
INSERT INTO unit_change VALUES
('units_exceed', 1, 1),
('units_below', 1, -1),
('unit_on_wrong_code', 1, -1),
('unit_on_wrong_code', 2, 1),
('midpoint_exceeded', 1, 1),
('midpoint_missed', 1, -1);

-- What else an audit may say where a case is planted: it follows from the same fault. Line rules name the case's lines.
CREATE TABLE consequence (plant VARCHAR, grain VARCHAR, rule VARCHAR);
INSERT INTO consequence VALUES
('note_missing', 'visit', 'medicare.timed_minutes_not_documented'),
('service_missing', 'visit', 'medicare.timed_units_exceed_minutes'),
('service_missing', 'visit', 'medicare.timed_unit_on_wrong_code'),
('service_missing', 'visit', 'payers.ama_midpoint.units_exceed_midpoint'),
('two_modifiers', 'line', 'clinic.line_without_note'),
('modifier_of_other', 'line', 'clinic.line_without_note'),
('modifier_of_other_on_evaluation', 'line', 'clinic.line_without_note');

-- Two to forty places of service, each with its billing number; clinicians enough for their patients.
CREATE TABLE site AS
SELECT
    site,
    npi(199990000 + site) AS billing_npi
FROM range(greatest(2, least(40, getvariable('patients') // 600))) AS numbered (site);

CREATE TABLE clinician AS
WITH role (credential, discipline, patient_share) AS (
    VALUES ('PT', 'PT', 0.70), ('PTA', 'PT', 0.15), ('OT', 'OT', 0.38), ('OTA', 'OT', 0.08), ('SLP', 'SLP', 0.20)
),

post AS (
    SELECT
        site.site,
        role.credential,
        role.discipline,
        unnest(range(greatest(
            1, round(getvariable('patients') / (SELECT count(*) FROM site AS every_site) * role.patient_share / 26)
        )::BIGINT)) AS post
    FROM site
    CROSS JOIN role
)

SELECT
    *,
    row_number() OVER (ORDER BY site, credential, post) AS number,
    npi(199900000 + row_number() OVER (ORDER BY site, credential, post)) AS npi
FROM post;

-- How many clinicians of a credential a site has; a lone post is number 0.
CREATE TABLE staff AS
SELECT
    site,
    credential,
    count(*) AS posts
FROM clinician
GROUP BY site, credential;
