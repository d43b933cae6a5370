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

-- What one visit holds: services as code[/modifier+modifier]:least-most minutes, and what is special about one: units=
-- (billed, whatever the minutes earn), lines=2 (the units on two lines), assistant= (minutes of them by an assistant),
-- marked= (units billed as an assistant's), from= (minute of the visit at which its block starts; else when the service
-- before it stops), block= (how long from start to stop; else as long as its minutes), clock=none or start (what is
-- left out of its times: both, or the stop), silent=1 (no minutes charted). `used` is plain (any day), normal (any day
-- without another discipline's visit), long (as plain, where no plan caps the units of a day), a kind of visit, a
-- clinician's habit, or the planted case that needs just these services.
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
    ('long', 'PT', 1, '97530:8-16 97110:8-16 97112:8-14 97116:8-12 97140:8-12'),
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
    ('midpoint_boundary', 'OT', 1, '97535:8-8 97530:22-22'),
    ('estimated', 'PT', 1, '97530:15-15 97110:30-30'),
    ('estimated', 'PT', 1, '97110:15-15 97112:15-15'),
    ('estimated', 'PT', 1, '97530:30-30 97116:15-15'),
    ('estimated', 'OT', 1, '97530:15-15 97535:30-30'),
    ('estimated', 'OT', 1, '97535:15-15 97530:15-15'),
    ('estimated', 'OT', 1, '97530:30-30 97110:15-15'),
    ('estimated_evaluation', 'PT', 1, '97161:30-30 97110:15-15'),
    ('estimated_evaluation', 'OT', 1, '97165:30-30 97535:15-15'),
    ('same_number', 'PT', 1, '97530:20-20 97110:20-20'),
    ('same_number', 'PT', 1, '97110:20-20 97112:20-20 97140:20-20'),
    ('same_number', 'OT', 1, '97530:20-20 97535:20-20'),
    ('same_number', 'OT', 1, '97535:20-20 97110:20-20'),
    ('same_number_evaluation', 'PT', 1, '97162:30-40 97530:20-20'),
    ('same_number_evaluation', 'OT', 1, '97166:30-40 97530:20-20'),
    ('nearly_estimated', 'PT', 1, '97530:15-15 97110:30-30 97112:10-14'),
    ('nearly_estimated', 'PT', 1, '97530:15-15 97116:15-15 97110:16-19'),
    ('nearly_estimated', 'OT', 1, '97530:15-15 97535:30-30 97110:10-14'),
    ('nearly_estimated', 'OT', 1, '97535:15-15 97110:15-15 97530:16-19'),
    ('nearly_estimated_evaluation', 'PT', 1, '97161:30-30 97110:11-14'),
    ('nearly_estimated_evaluation', 'OT', 1, '97165:30-30 97535:11-14'),
    ('short', 'PT', 1, '97110:8-8'),
    ('short', 'PT', 1, '97530:12-12 97110:11-11'),
    ('short', 'PT', 1, '97530:14-14 97112:9-9'),
    ('short', 'PT', 1, '97110:15-15 97116:8-8'),
    ('short', 'OT', 1, '97535:8-8'),
    ('short', 'OT', 1, '97530:12-12 97535:11-11'),
    ('short', 'OT', 1, '97530:14-14 97535:9-9'),
    ('short', 'OT', 1, '97110:15-15 97535:8-8'),
    ('short_evaluation', 'PT', 1, '97161:25-35 97110:8-8'),
    ('short_evaluation', 'OT', 1, '97165:25-35 97535:8-8'),
    ('nearly_short', 'PT', 1, '97530:12-12 97110:13-13'),
    ('nearly_short', 'PT', 1, '97110:12-12 97112:14-14'),
    ('nearly_short', 'PT', 1, '97530:15-15 97116:11-11'),
    ('nearly_short', 'OT', 1, '97530:12-12 97535:13-13'),
    ('nearly_short', 'OT', 1, '97535:12-12 97110:14-14'),
    ('nearly_short', 'OT', 1, '97530:15-15 97535:11-11'),
    ('nearly_short_evaluation', 'PT', 1, '97161:25-35 97110:13-13'),
    ('nearly_short_evaluation', 'OT', 1, '97165:25-35 97535:13-13'),
    ('sole_under_eight', 'PT', 1, '97110:7-7;units=1'),
    ('sole_under_eight', 'PT', 1, '97530:5-5;units=1'),
    ('sole_under_eight', 'PT', 1, '97140:7-7;units=1 G0283:15-15'),
    ('sole_under_eight', 'OT', 1, '97530:7-7;units=1'),
    ('sole_under_eight', 'OT', 1, '97535:5-5;units=1'),
    ('eight_or_pooled', 'PT', 1, '97110:8-8'),
    ('eight_or_pooled', 'PT', 1, '97110:7-7 97140:7-7'),
    ('eight_or_pooled', 'PT', 1, '97530:8-8 G0283:15-15'),
    ('eight_or_pooled', 'OT', 1, '97530:8-8'),
    ('eight_or_pooled', 'OT', 1, '97530:7-7 97535:7-7'),
    ('timed_total_more', 'PT', 1, '97530:22-24 97110:19-21'),
    ('timed_total_more', 'OT', 1, '97530:22-24 97535:19-21'),
    ('timed_total_less', 'PT', 1, '97530:23-25 97110:21-23'),
    ('timed_total_less', 'OT', 1, '97530:23-25 97535:21-23'),
    ('treatment_total_short', 'PT', 1, '97110:15-25 97116:10-20 G0283:15-15'),
    ('treatment_total_short', 'OT', 1, '97530:15-25 97535:15-20 G0283:12-12'),
    ('timed_over_treatment', 'PT', 1, '97530:15-24 97110:15-20'),
    ('timed_over_treatment', 'OT', 1, '97530:15-24 97535:15-20'),
    ('treatment_total_longer', 'PT', 1, '97530:15-24 97110:15-20'),
    ('treatment_total_longer', 'OT', 1, '97530:15-24 97535:15-20'),
    ('untimed_twice', 'PT', 1, '97150:30-40;units=2'),
    ('untimed_twice', 'PT', 1, 'G0283:20-20;units=2 97110:15-22'),
    ('untimed_twice', 'OT', 1, '97150:30-40;units=2'),
    ('untimed_twice', 'OT', 1, 'G0283:20-20;units=2 97530:15-22'),
    ('untimed_twice', 'SLP', 1, '92507:30-45;units=2'),
    ('evaluation_twice', 'PT', 1, '97161:25-35;units=2 97110:8-15'),
    ('evaluation_twice', 'OT', 1, '97166:30-40;units=2 97530:8-15'),
    ('evaluation_twice', 'SLP', 1, '92523:40-40;units=2'),
    ('group_twice_in_office', 'PT', 1, '97150:30-40;units=2'),
    ('group_twice_in_office', 'OT', 1, '97150:30-40;units=2'),
    ('group_twice_in_hospital', 'PT', 1, '97150:30-40;units=2'),
    ('group_twice_in_hospital', 'OT', 1, '97150:30-40;units=2'),
    ('over_daily_cap', 'PT', 1, '97530:30-34 97110:30-34 97112:15-20'),
    ('over_daily_cap', 'PT', 1, '97530:38-44 97110:38-44'),
    ('over_daily_cap', 'OT', 1, '97535:30-34 97530:38-44'),
    ('over_daily_cap', 'OT', 1, '97535:30-34 97530:30-34 97110:15-20'),
    ('at_daily_cap', 'PT', 1, '97110:30-30 97530:30-30'),
    ('at_daily_cap', 'PT', 1, '97110:16-20 97530:16-20 97112:24-27'),
    ('at_daily_cap', 'OT', 1, '97535:30-30 97530:30-30'),
    ('five_units_uncapped', 'PT', 1, '97530:30-34 97110:30-34 97112:15-18'),
    ('five_units_uncapped', 'OT', 1, '97535:30-34 97530:38-44'),
    ('over_mue_in_office', 'PT', 1, '97112:68-75'),
    ('over_mue_in_office', 'PT', 1, '97110:98-104'),
    ('over_mue_in_office', 'OT', 1, '97530:98-104'),
    ('over_mue_in_office', 'OT', 1, '97112:68-75'),
    ('over_mue_in_hospital', 'PT', 1, '97116:68-74'),
    ('over_mue_in_hospital', 'PT', 1, '97112:98-104'),
    ('over_mue_in_hospital', 'OT', 1, '97530:98-104'),
    ('at_mue_in_office', 'PT', 1, '97112:53-60'),
    ('at_mue_in_office', 'PT', 1, '97110:83-90'),
    ('at_mue_in_office', 'OT', 1, '97530:83-90'),
    ('at_mue_in_hospital', 'PT', 1, '97112:83-90'),
    ('at_mue_in_hospital', 'PT', 1, '97110:113-120'),
    ('at_mue_in_hospital', 'OT', 1, '97112:83-90'),
    ('over_mue_on_two_lines', 'PT', 1, '97112:70-70;assistant=30;marked=2'),
    ('over_mue_on_two_lines', 'OT', 1, '97112:70-70;assistant=30;marked=2'),
    ('split_on_two_lines', 'PT', 1, '97110:30-36;lines=2'),
    ('split_on_two_lines', 'PT', 1, '97530:30-36;lines=2 97140:15-15'),
    ('split_on_two_lines', 'OT', 1, '97530:30-36;lines=2'),
    ('split_in_other_order', 'PT', 1, '97110:30-36;lines=2'),
    ('split_in_other_order', 'OT', 1, '97530:30-36;lines=2'),
    ('split_by_assistant', 'PT', 1, '97110:30-30;assistant=15;marked=1'),
    ('split_by_assistant', 'OT', 1, '97530:30-30;assistant=15;marked=1'),
    ('blocks_overlap', 'PT', 1, '97530:24-24 97110:18-18;from=18'),
    ('blocks_overlap', 'PT', 1, '97530:30-30 97110:15-15;from=8'),
    ('blocks_overlap', 'PT', 1, '97530:20-20 97112:18-18;from=0'),
    ('blocks_overlap', 'PT', 1, '97530:20-20;block=30 97110:20-20;from=0;block=30'),
    ('blocks_overlap', 'OT', 1, '97530:24-24 97535:18-18;from=18'),
    ('blocks_overlap', 'OT', 1, '97530:30-30 97535:15-15;from=8'),
    ('blocks_overlap', 'OT', 1, '97530:20-20 97110:18-18;from=0'),
    ('blocks_overlap', 'OT', 1, '97530:20-20;block=30 97535:20-20;from=0;block=30'),
    ('blocks_in_turn', 'PT', 1, '97530:15-15;block=35 97110:20-20;from=0;block=35'),
    ('blocks_in_turn', 'PT', 1, '97110:18-18;block=24 97116:16-16;from=24'),
    ('blocks_in_turn', 'OT', 1, '97530:15-15;block=35 97535:20-20;from=0;block=35'),
    ('blocks_in_turn', 'OT', 1, '97535:18-18;block=24 97110:16-16;from=24'),
    ('times_missing', 'PT', 1, '97530:15-24;clock=none 97110:15-20;clock=none'),
    ('times_missing', 'PT', 1, '97530:15-24 97110:15-20;clock=none'),
    ('times_missing', 'PT', 1, '97110:15-24 97116:15-20;clock=start'),
    ('times_missing', 'OT', 1, '97530:15-24;clock=none 97535:15-20;clock=none'),
    ('times_missing', 'OT', 1, '97530:15-24 97535:15-20;clock=start'),
    ('untimed_without_times', 'PT', 1, '97110:15-24 97116:10-14 G0283:15-15;clock=none'),
    ('untimed_without_times', 'PT', 1, '97150:30-40;clock=none'),
    ('untimed_without_times', 'OT', 1, '97530:15-24 G0283:15-15;clock=none'),
    ('pair_same_text', 'PT', 1, '97530:15-24 97110:15-20'),
    ('pair_same_text', 'PT', 1, '97530:15-24 97112:15-20'),
    ('pair_same_text', 'OT', 1, '97530:15-24 97535:15-20'),
    ('pair_text_respelled', 'PT', 1, '97530:15-24 97110:15-20'),
    ('pair_text_respelled', 'OT', 1, '97530:15-24 97535:15-20'),
    ('pair_text_respelled', 'OT', 1, '97530:15-24 97110:15-20'),
    ('pair_without_time', 'PT', 1, '97530:38-38 97110:15-15;clock=none;silent=1'),
    ('pair_without_time', 'PT', 1, '97530:15-15;clock=none;silent=1 97112:38-38'),
    ('pair_without_time', 'OT', 1, '97530:38-38 97535:15-15;clock=none;silent=1'),
    ('pair_without_texts', 'PT', 1, '97530:15-24 97110:15-20'),
    ('pair_without_texts', 'OT', 1, '97530:15-24 97535:15-20'),
    ('booked_twice', 'PT', 1, '97530:30-30'),
    ('booked_twice', 'OT', 1, '97530:30-30'),
    ('booked_twice_partner', 'PT', 1, '97110:25-25;from=20'),
    ('booked_twice_partner', 'OT', 1, '97535:25-25;from=20'),
    ('booked_within', 'PT', 1, '97530:22-22 97110:18-18'),
    ('booked_within', 'OT', 1, '97530:22-22 97535:18-18'),
    ('booked_within_partner', 'PT', 1, '97110:20-20;from=10'),
    ('booked_within_partner', 'OT', 1, '97535:20-20;from=10'),
    ('turns_too_long', 'PT', 1, '97530:20-20;block=30'),
    ('turns_too_long', 'OT', 1, '97530:20-20;block=30'),
    ('turns_too_long_partner', 'PT', 1, '97110:18-18;block=30'),
    ('turns_too_long_partner', 'OT', 1, '97535:18-18;block=30'),
    ('in_turns', 'PT', 1, '97530:22-22;block=40'),
    ('in_turns', 'OT', 1, '97530:22-22;block=40'),
    ('in_turns_partner', 'PT', 1, '97110:18-18;block=40'),
    ('in_turns_partner', 'OT', 1, '97535:18-18;block=40'),
    ('one_after_another', 'PT', 1, '97530:25-25'),
    ('one_after_another', 'OT', 1, '97530:25-25'),
    ('one_after_another_partner', 'PT', 1, '97110:20-20;from=25'),
    ('one_after_another_partner', 'OT', 1, '97535:20-20;from=25'),
    ('group_of_two', 'PT', 1, '97150:30-30'),
    ('group_of_two', 'OT', 1, '97150:30-30'),
    ('group_of_two_partner', 'PT', 1, '97150:30-30'),
    ('group_of_two_partner', 'OT', 1, '97150:30-30'),
    ('day_too_long', 'PT', 1, '97530:20-20 97112:15-15 97110:25-25'),
    ('day_too_long', 'OT', 1, '97530:20-20 97535:15-15 97110:25-25'),
    ('day_full', 'PT', 1, '97530:20-20 97112:15-15 97110:25-25'),
    ('day_full', 'OT', 1, '97530:20-20 97535:15-15 97110:25-25'),
    ('day_in_less_time', 'PT', 1, '97530:20-20;block=15 97110:17-17;block=13'),
    ('day_in_less_time', 'PT', 1, '97110:24-24;block=19'),
    ('day_in_less_time', 'OT', 1, '97530:20-20;block=15 97535:17-17;block=13'),
    ('together_double', 'PT', 1, '97530:30-30'),
    ('together_double_partner', 'OT', 1, '97530:30-30'),
    ('together_three', 'PT', 1, '97530:30-30'),
    ('together_three_partner', 'OT', 1, '97530:22-22'),
    ('together_partly', 'OT', 1, '97535:30-30;from=15'),
    ('together_partly_partner', 'PT', 1, '97530:30-30'),
    ('together_split', 'PT', 1, '97530:15-15;block=30'),
    ('together_split_partner', 'OT', 1, '97530:15-15;block=30'),
    ('together_half_billed', 'PT', 1, '97530:30-30;units=1'),
    ('together_half_billed_partner', 'OT', 1, '97530:30-30;units=1'),
    ('mue_of_both', 'OT', 1, '97112:25-25;from=45'),
    ('mue_of_both_partner', 'PT', 1, '97112:40-40'),
    ('mue_of_both_later', 'PT', 1, '97112:40-40'),
    ('mue_of_both_later_partner', 'OT', 1, '97112:25-25;from=45'),
    ('assistant_unmarked', 'PT', 1, '97110:15-22;marked=0 97116:15-20;marked=0'),
    ('assistant_unmarked', 'PT', 1, '97150:30-40;marked=0'),
    ('assistant_unmarked', 'OT', 1, '97110:15-22;marked=0 97535:15-20;marked=0'),
    ('assistant_unmarked', 'OT', 1, '97150:30-40;marked=0'),
    ('mixed_unmarked', 'PT', 1, '97110:15-15;assistant=10'),
    ('mixed_unmarked', 'PT', 1, '97110:25-25;assistant=5'),
    ('mixed_unmarked', 'PT', 1, '97530:26-26;assistant=14'),
    ('mixed_unmarked', 'PT', 1, '97530:8-8;assistant=1'),
    ('mixed_unmarked', 'PT', 1, '97150:30-30;assistant=10'),
    ('mixed_unmarked', 'OT', 1, '97535:15-15;assistant=10'),
    ('mixed_unmarked', 'OT', 1, '97535:25-25;assistant=5'),
    ('mixed_unmarked', 'OT', 1, '97530:26-26;assistant=14'),
    ('mixed_right', 'PT', 1, '97110:20-20;assistant=12'),
    ('mixed_right', 'PT', 1, '97110:12-12;assistant=1'),
    ('mixed_right', 'PT', 1, '97530:26-26;assistant=14;marked=1'),
    ('mixed_right', 'PT', 1, '97530:53-53;assistant=23;marked=2'),
    ('mixed_right', 'PT', 1, '97150:40-40;assistant=4'),
    ('mixed_right', 'OT', 1, '97535:20-20;assistant=12'),
    ('mixed_right', 'OT', 1, '97535:12-12;assistant=1'),
    ('mixed_right', 'OT', 1, '97530:26-26;assistant=14;marked=1'),
    ('mark_without_assistant', 'PT', 1, '97110:15-20;marked=1'),
    ('mark_without_assistant', 'PT', 1, '97110:20-20;assistant=10;marked=1'),
    ('mark_without_assistant', 'PT', 1, '97530:30-30;assistant=15;marked=2'),
    ('mark_without_assistant', 'PT', 1, '97110:12-12;assistant=1;marked=1'),
    ('mark_without_assistant', 'OT', 1, '97535:15-20;marked=1'),
    ('mark_without_assistant', 'OT', 1, '97535:20-20;assistant=10;marked=1'),
    ('mark_by_one_test', 'PT', 1, '97110:8-8;assistant=1;marked=1'),
    ('mark_by_one_test', 'OT', 1, '97535:8-8;assistant=1;marked=1'),
    ('cosigned', 'PT', 1, '97110:15-24 97116:15-20'),
    ('cosigned', 'OT', 1, '97110:15-24 97535:15-20'),
    ('both_assistant_marks', 'PT', 1, '97110:15-22'),
    ('both_assistant_marks', 'OT', 1, '97535:15-22'),
    ('mark_of_other_assistant', 'PT', 1, '97110:15-22'),
    ('mark_of_other_assistant', 'OT', 1, '97535:15-22'),
    ('mark_with_other_discipline', 'PT', 1, '97530:15-22'),
    ('mark_with_other_discipline', 'OT', 1, '97530:15-22'),
    ('mark_on_evaluation', 'PT', 1, '97161:25-35 97110:8-15'),
    ('mark_on_evaluation', 'OT', 1, '97165:25-35 97530:8-15'),
    ('mark_on_speech', 'SLP', 1, '92507:30-45'),
    ('pair_marked_overlapping', 'PT', 1, '97530:25-25 97542/59:15-15;from=12'),
    ('pair_marked_overlapping', 'PT', 1, '97113:20-20 97110/59:15-15;from=5'),
    ('pair_marked_overlapping', 'OT', 1, '97530:25-25 97542/59:15-15;from=12'),
    ('group_marked_overlapping', 'PT', 1, '97150:30-30 97110/59:15-15;from=10'),
    ('group_marked_overlapping', 'OT', 1, '97150:30-30 97535/XU:15-15;from=10'),
    ('group_marked_elsewhere', 'PT', 1, '97150:30-30 97110/59:15-15;from=10'),
    ('group_marked_elsewhere', 'OT', 1, '97150:30-30 97110/59:15-15;from=10'),
    ('pair_marked_in_turn', 'PT', 1, '97530:15-25 97542/59:15-20'),
    ('pair_marked_in_turn', 'PT', 1, '97113:20-25 97110/XU:15-20'),
    ('pair_marked_in_turn', 'OT', 1, '97530:15-25 97542/XS:15-20'),
    ('two_distinct_marks', 'PT', 1, '97530:15-25 97542/59+XE:15-20'),
    ('two_distinct_marks', 'PT', 1, '97113:20-25 97110/XU+59:15-20'),
    ('two_distinct_marks', 'OT', 1, '97530:15-25 97542/59+XS:15-20'),
    ('evaluation_marked', 'PT', 1, '97161/59:25-35 97110:8-15'),
    ('evaluation_marked', 'PT', 1, '97162/XE:30-40 97530:8-15'),
    ('evaluation_marked', 'OT', 1, '97165/59:25-35 97530:8-15'),
    ('evaluation_marked', 'SLP', 1, '92523/59:40-40'),
    ('reevaluation_marked', 'PT', 1, '97164/59:20-25 97035:8-10 97110:15-20'),
    ('reevaluation_marked', 'OT', 1, '97168/59:20-25 97535:15-20'),
    ('payer_pair_unmarked', 'PT', 1, '97530:15-25 97140:15-20'),
    ('payer_pair_unmarked', 'PT', 1, '97530:15-25 97140/76:15-20'),
    ('payer_pair_unmarked', 'OT', 1, '97530:15-25 97140:15-20'),
    ('payer_pair_marked', 'PT', 1, '97530/59:15-25 97140:15-20'),
    ('payer_pair_marked', 'PT', 1, '97530:15-25 97140/XE:15-20'),
    ('payer_pair_marked', 'OT', 1, '97530:15-25 97140/XS:15-20'),
    ('reduced_timed', 'PT', 1, '97110/52:10-14'),
    ('reduced_timed', 'PT', 1, '97530/52:15-20 97110:15-20'),
    ('reduced_timed', 'OT', 1, '97535/52:10-14'),
    ('reduced_timed', 'OT', 1, '97530/52:15-20 97535:15-20'),
    ('reduced_untimed', 'PT', 1, '97150/52:20-25'),
    ('reduced_untimed', 'PT', 1, 'G0283/52:10-10 97110:15-22'),
    ('reduced_untimed', 'OT', 1, '97150/52:20-25'),
    ('test_with_evaluation', 'PT', 1, '97161:25-35 97750/59:15-25'),
    ('test_with_evaluation', 'OT', 1, '97165:25-35 97750/59:15-25'),
    ('test_in_hospital', 'PT', 1, '97161:25-35 97750/59:15-25'),
    ('test_in_hospital', 'OT', 1, '97165:25-35 97750/59:15-25'),
    ('test_in_hospital_unmarked', 'PT', 1, '97161:25-35 97750:15-25'),
    ('test_in_hospital_unmarked', 'OT', 1, '97165:25-35 97750:15-25')
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
    list_filter(string_split(regexp_extract(service, '/([^:]+)', 1), '+'), lambda modifier: modifier <> '')
        AS service_modifiers,
    regexp_extract(service, ':([0-9]+)', 1)::INTEGER AS least_minutes,
    regexp_extract(service, '-([0-9]+)', 1)::INTEGER AS most_minutes,
    nullif(regexp_extract(service, ';units=([0-9]+)', 1), '')::INTEGER AS units_set,
    coalesce(nullif(regexp_extract(service, ';lines=([0-9]+)', 1), '')::INTEGER, 1) AS lines,
    nullif(regexp_extract(service, ';assistant=([0-9]+)', 1), '')::INTEGER AS assistant_set,
    nullif(regexp_extract(service, ';marked=([0-9]+)', 1), '')::INTEGER AS marked_set,
    nullif(regexp_extract(service, ';from=([0-9]+)', 1), '')::INTEGER AS block_from_set,
    nullif(regexp_extract(service, ';block=([0-9]+)', 1), '')::INTEGER AS block_set,
    coalesce(nullif(regexp_extract(service, ';clock=([a-z]+)', 1), ''), 'both') AS clock,
    contains(service, ';silent=1') AS silent
FROM service;

-- Normal days may hold plain recipes as well, and both may hold long ones where no plan caps the units of a day; a
-- recipe is there as often as it weighs.
CREATE TABLE recipe_pool AS
WITH offered AS (
    SELECT * FROM recipe
    UNION ALL
    SELECT * REPLACE ('plain' AS used) FROM recipe
    WHERE used = 'long'
    UNION ALL
    SELECT * REPLACE ('normal' AS used) FROM recipe
    WHERE used IN ('plain', 'long')
)

SELECT
    offered.used,
    offered.discipline,
    plan_kind.capped,
    list(offered.recipe_id ORDER BY offered.recipe_id, one.place) AS recipe_ids
FROM offered
INNER JOIN recipe USING (recipe_id)
CROSS JOIN unnest(range(offered.weight)) AS one (place)
CROSS JOIN (VALUES (FALSE), (TRUE)) AS plan_kind (capped)
WHERE NOT (plan_kind.capped AND recipe.used = 'long')
GROUP BY offered.used, offered.discipline, plan_kind.capped;

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

-- Each planted case that changes one visit: where it may be put, and what an audit must (fault) or must not (near_miss)
-- say of it. Target: the claim line that the truth names; null is every line of the visit. Quiet: only patients whose
-- total cannot come near the KX threshold, since a wrong modifier books the amount into another pool, and KX on one of
-- two lines would tell them apart. Note type: null where several visits share the case, which is chosen elsewhere.
CREATE TABLE plant AS
SELECT
    *,
    1 + (draw('plant bid', plant) % 1000002)::BIGINT AS bid
FROM (
    VALUES
    (
        'units_exceed', 'fault', ['medicare.timed_units_exceed_minutes'], 'visit', NULL, 'cms', FALSE, 'daily', NULL,
        FALSE
    ),
    ('units_below', 'fault', ['medicare.timed_units_below_minutes'], 'visit', NULL, 'cms', FALSE, 'daily', NULL, FALSE),
    (
        'unit_on_wrong_code', 'fault', ['medicare.timed_unit_on_wrong_code'], 'visit', NULL, 'cms', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'minutes_missing', 'fault', ['medicare.timed_minutes_not_documented'], 'visit', NULL, 'cms', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'modifier_missing', 'fault', ['medicare.discipline_modifier_missing'], 'line', 1, 'medicare', TRUE, 'daily',
        NULL, FALSE
    ),
    (
        'two_modifiers', 'fault', ['medicare.discipline_modifier_conflict'], 'line', 1, 'medicare', TRUE, 'daily',
        NULL, FALSE
    ),
    (
        'modifier_of_other', 'fault', ['medicare.discipline_modifier_conflict'], 'line', 1, 'medicare', TRUE, 'daily',
        NULL, FALSE
    ),
    (
        'modifier_of_other_on_evaluation', 'fault', ['medicare.discipline_modifier_conflict'], 'line', 1, 'medicare',
        TRUE, 'evaluation', NULL, FALSE
    ),
    (
        'pair_unmarked', 'fault', ['medicare.ncci_pair_without_modifier'], 'visit', NULL, 'medicare', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'pair_not_allowed', 'fault', ['medicare.ncci_pair_not_allowed'], 'visit', NULL, 'medicare', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'mark_unneeded', 'fault', ['medicare.distinct_service_modifier_unneeded'], 'line', 2, 'medicare', FALSE,
        'daily', NULL, FALSE
    ),
    ('note_missing', 'fault', ['clinic.line_without_note'], 'line', NULL, 'any', FALSE, 'daily', NULL, FALSE),
    ('service_missing', 'fault', ['clinic.service_not_documented'], 'line', 2, 'any', FALSE, 'daily', NULL, FALSE),
    (
        'midpoint_exceeded', 'fault', ['payers.ama_midpoint.units_exceed_midpoint'], 'visit', NULL, 'midpoint', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'midpoint_missed', 'fault', ['payers.ama_midpoint.units_below_midpoint'], 'visit', NULL, 'midpoint', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'boundary', 'near_miss', ['medicare.timed_units_exceed_minutes'], 'visit', NULL, 'cms', FALSE, 'daily', NULL,
        FALSE
    ),
    (
        'below_boundary', 'near_miss', ['medicare.timed_units_below_minutes'], 'visit', NULL, 'cms', FALSE, 'daily',
        NULL, FALSE
    ),
    ('tie', 'near_miss', ['medicare.timed_unit_on_wrong_code'], 'visit', NULL, 'cms', FALSE, 'daily', NULL, FALSE),
    (
        'seven_minutes', 'near_miss', ['medicare.timed_units_exceed_minutes', 'medicare.timed_unit_on_wrong_code'],
        'visit', NULL, 'cms', FALSE, 'daily', NULL, FALSE
    ),
    (
        'pair_withdrawn', 'near_miss', ['medicare.ncci_pair_without_modifier'], 'visit', NULL, 'medicare', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'pair_marked', 'near_miss', ['medicare.distinct_service_modifier_unneeded'], 'line', 2, 'medicare', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'two_notes', 'near_miss', ['medicare.timed_units_exceed_minutes'], 'visit', NULL, 'cms', FALSE, 'daily', NULL,
        FALSE
    ),
    ('late_note', 'near_miss', ['clinic.line_without_note'], 'line', NULL, 'any', FALSE, 'daily', NULL, FALSE),
    (
        'by_assistant', 'near_miss', ['medicare.discipline_modifier_conflict'], 'line', 1, 'medicare', FALSE, 'daily',
        NULL, TRUE
    ),
    (
        'midpoint_boundary', 'near_miss',
        ['payers.ama_midpoint.units_exceed_midpoint', 'payers.ama_midpoint.units_below_midpoint'], 'visit', NULL,
        'midpoint', FALSE, 'daily', NULL, FALSE
    ),
    (
        'sole_under_eight', 'fault', ['medicare.timed_code_under_eight_minutes'], 'visit', NULL, 'cms', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'eight_or_pooled', 'near_miss', ['medicare.timed_code_under_eight_minutes'], 'visit', NULL, 'cms', FALSE,
        'daily', NULL, FALSE
    ),
    ('timed_total_more', 'fault', ['clinic.minutes_do_not_add_up'], 'visit', NULL, 'any', FALSE, 'daily', NULL, FALSE),
    ('timed_total_less', 'fault', ['clinic.minutes_do_not_add_up'], 'visit', NULL, 'any', FALSE, 'daily', NULL, FALSE),
    (
        'treatment_total_short', 'fault', ['clinic.minutes_do_not_add_up'], 'visit', NULL, 'any', FALSE, 'daily', NULL,
        FALSE
    ),
    (
        'timed_over_treatment', 'fault', ['clinic.minutes_do_not_add_up'], 'visit', NULL, 'any', FALSE, 'daily', NULL,
        FALSE
    ),
    (
        'treatment_total_longer', 'near_miss', ['clinic.minutes_do_not_add_up'], 'visit', NULL, 'any', FALSE, 'daily',
        NULL, FALSE
    ),
    ('untimed_twice', 'fault', ['medicare.untimed_code_multiple_units'], 'line', 1, 'cms', FALSE, 'daily', NULL, FALSE),
    (
        'evaluation_twice', 'fault', ['medicare.untimed_code_multiple_units'], 'line', 1, 'cms', FALSE, 'evaluation',
        NULL, FALSE
    ),
    (
        'group_twice_in_office', 'fault', ['medicare.mue_exceeded'], 'line', 1, 'medicare', FALSE, 'daily',
        'practitioner', FALSE
    ),
    (
        'group_twice_in_hospital', 'near_miss', ['medicare.mue_exceeded'], 'line', 1, 'medicare', FALSE, 'daily',
        'hospital', FALSE
    ),
    (
        'over_mue_in_office', 'fault', ['medicare.mue_exceeded'], 'line', 1, 'medicare', FALSE, 'daily',
        'practitioner', FALSE
    ),
    (
        'over_mue_in_hospital', 'fault', ['medicare.mue_exceeded'], 'line', 1, 'medicare', FALSE, 'daily', 'hospital',
        FALSE
    ),
    (
        'over_mue_on_two_lines', 'fault', ['medicare.mue_exceeded'], 'line', 2, 'medicare', FALSE, 'daily',
        'practitioner', FALSE
    ),
    (
        'at_mue_in_office', 'near_miss', ['medicare.mue_exceeded'], 'line', NULL, 'medicare', FALSE, 'daily',
        'practitioner', FALSE
    ),
    (
        'at_mue_in_hospital', 'near_miss', ['medicare.mue_exceeded'], 'line', NULL, 'medicare', FALSE, 'daily',
        'hospital', FALSE
    ),
    (
        'over_daily_cap', 'fault', ['payers.unit_cap.daily_timed_units_exceeded'], 'visit', NULL, 'capped', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'at_daily_cap', 'near_miss', ['payers.unit_cap.daily_timed_units_exceeded'], 'visit', NULL, 'capped', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'five_units_uncapped', 'near_miss', ['payers.unit_cap.daily_timed_units_exceeded'], 'visit', NULL, 'uncapped',
        FALSE, 'daily', NULL, FALSE
    ),
    (
        'split_on_two_lines', 'fault', ['medicare.timed_code_split_across_lines'], 'visit', NULL, 'medicare', TRUE,
        'daily', NULL, FALSE
    ),
    (
        'split_in_other_order', 'fault', ['medicare.timed_code_split_across_lines'], 'visit', NULL, 'medicare', TRUE,
        'daily', NULL, TRUE
    ),
    (
        'split_by_assistant', 'near_miss', ['medicare.timed_code_split_across_lines'], 'visit', NULL, 'medicare',
        FALSE, 'daily', NULL, FALSE
    ),
    ('blocks_overlap', 'fault', ['clinic.time_blocks_overlap'], 'visit', NULL, 'any', FALSE, 'daily', NULL, FALSE),
    ('blocks_in_turn', 'near_miss', ['clinic.time_blocks_overlap'], 'visit', NULL, 'any', FALSE, 'daily', NULL, FALSE),
    ('times_missing', 'fault', ['clinic.start_stop_missing'], 'visit', NULL, 'any', FALSE, 'daily', NULL, FALSE),
    (
        'untimed_without_times', 'near_miss', ['clinic.start_stop_missing'], 'visit', NULL, 'any', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'pair_same_text', 'fault', ['clinic.same_day_pair_not_distinct'], 'visit', NULL, 'any', FALSE, 'daily', NULL,
        FALSE
    ),
    (
        'pair_text_respelled', 'fault', ['clinic.same_day_pair_not_distinct'], 'visit', NULL, 'any', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'pair_without_time', 'fault', ['clinic.same_day_pair_not_distinct'], 'visit', NULL, 'cms', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'pair_without_texts', 'near_miss', ['clinic.same_day_pair_not_distinct'], 'visit', NULL, 'any', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'booked_twice', 'fault', ['medicare.clinician_double_booked'], 'clinician_day', NULL, 'any', FALSE, NULL, NULL,
        FALSE
    ),
    (
        'booked_within', 'fault', ['medicare.clinician_double_booked'], 'clinician_day', NULL, 'any', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'turns_too_long', 'fault', ['medicare.clinician_double_booked'], 'clinician_day', NULL, 'any', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'in_turns', 'near_miss', ['medicare.clinician_double_booked'], 'clinician_day', NULL, 'any', FALSE, NULL, NULL,
        FALSE
    ),
    (
        'one_after_another', 'near_miss', ['medicare.clinician_double_booked'], 'clinician_day', NULL, 'any', FALSE,
        NULL, NULL, FALSE
    ),
    (
        'group_of_two', 'near_miss', ['medicare.clinician_double_booked'], 'clinician_day', NULL, 'any', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'day_too_long', 'fault', ['medicare.clinician_day_impossible'], 'clinician_day', NULL, 'uncapped', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'day_in_less_time', 'fault', ['medicare.clinician_day_impossible'], 'clinician_day', NULL, 'any', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'day_full', 'near_miss', ['medicare.clinician_day_impossible'], 'clinician_day', NULL, 'uncapped', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'together_double', 'fault', ['medicare.cotreatment_double_billed'], 'visit', NULL, 'medicare', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'together_three', 'fault', ['medicare.cotreatment_double_billed'], 'visit', NULL, 'medicare', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'together_partly', 'fault', ['medicare.cotreatment_double_billed'], 'visit', NULL, 'medicare', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'together_split', 'near_miss', ['medicare.cotreatment_double_billed'], 'visit', NULL, 'medicare', FALSE, NULL,
        NULL, FALSE
    ),
    (
        'together_half_billed', 'near_miss', ['medicare.cotreatment_double_billed'], 'visit', NULL, 'medicare', FALSE,
        NULL, NULL, FALSE
    ),
    ('mue_of_both', 'fault', ['medicare.mue_exceeded'], 'line', 1, 'medicare', FALSE, NULL, NULL, FALSE),
    ('mue_of_both_later', 'fault', ['medicare.mue_exceeded'], 'line', 1, 'medicare', FALSE, NULL, NULL, FALSE),
    (
        'assistant_unmarked', 'fault', ['medicare.assistant_modifier_missing'], 'line', NULL, 'assistant', FALSE,
        'daily', NULL, TRUE
    ),
    (
        'mixed_unmarked', 'fault', ['medicare.assistant_modifier_missing'], 'line', 1, 'assistant', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'mixed_right', 'near_miss', ['medicare.assistant_modifier_missing', 'medicare.assistant_modifier_unsupported'],
        'line', NULL, 'assistant', FALSE, 'daily', NULL, FALSE
    ),
    (
        'mark_without_assistant', 'fault', ['medicare.assistant_modifier_unsupported'], 'line', 1, 'assistant', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'mark_by_one_test', 'near_miss', ['medicare.assistant_modifier_unsupported'], 'line', 1, 'assistant', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'cosigned', 'near_miss', ['medicare.assistant_modifier_unsupported'], 'line', NULL, 'assistant', FALSE,
        'daily', NULL, TRUE
    ),
    (
        'both_assistant_marks', 'fault', ['medicare.assistant_modifier_mismatch'], 'line', 1, 'assistant', FALSE,
        'daily', NULL, TRUE
    ),
    (
        'mark_of_other_assistant', 'fault', ['medicare.assistant_modifier_mismatch'], 'line', 1, 'assistant', FALSE,
        'daily', NULL, TRUE
    ),
    (
        'mark_with_other_discipline', 'fault', ['medicare.assistant_modifier_mismatch'], 'line', 1, 'assistant', TRUE,
        'daily', NULL, TRUE
    ),
    (
        'mark_on_evaluation', 'fault', ['medicare.assistant_modifier_mismatch'], 'line', 1, 'assistant', FALSE,
        'evaluation', NULL, FALSE
    ),
    (
        'mark_on_speech', 'fault', ['medicare.assistant_modifier_mismatch'], 'line', 1, 'assistant', FALSE, 'daily',
        NULL, FALSE
    ),
    (
        'pair_marked_overlapping', 'fault', ['medicare.distinct_service_unsupported'], 'visit', NULL, 'medicare',
        FALSE, 'daily', NULL, FALSE
    ),
    (
        'group_marked_overlapping', 'fault', ['medicare.distinct_service_unsupported'], 'visit', NULL, 'medicare',
        FALSE, 'daily', NULL, FALSE
    ),
    (
        'group_marked_elsewhere', 'near_miss', ['medicare.distinct_service_unsupported'], 'visit', NULL, 'medicare',
        FALSE, 'daily', NULL, FALSE
    ),
    (
        'pair_marked_in_turn', 'near_miss', ['medicare.distinct_service_unsupported'], 'visit', NULL, 'medicare',
        FALSE, 'daily', NULL, FALSE
    ),
    (
        'two_distinct_marks', 'fault', ['medicare.distinct_service_modifier_conflict'], 'line', 2, 'medicare', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'evaluation_marked', 'fault', ['medicare.distinct_service_modifier_conflict'], 'line', 1, 'medicare', FALSE,
        'evaluation', NULL, FALSE
    ),
    (
        'reevaluation_marked', 'near_miss', ['medicare.distinct_service_modifier_conflict'], 'line', 1, 'medicare',
        FALSE, 'reevaluation', NULL, FALSE
    ),
    (
        'payer_pair_unmarked', 'fault', ['payers.pair_rules.pair_without_modifier'], 'visit', NULL, 'paired', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'payer_pair_marked', 'near_miss',
        ['payers.pair_rules.pair_without_modifier', 'medicare.distinct_service_modifier_unneeded'], 'visit', NULL,
        'paired', FALSE, 'daily', NULL, FALSE
    ),
    (
        'reduced_timed', 'fault', ['medicare.reduced_service_modifier_on_timed_code'], 'line', 1, 'cms', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'reduced_untimed', 'near_miss', ['medicare.reduced_service_modifier_on_timed_code'], 'line', 1, 'cms', FALSE,
        'daily', NULL, FALSE
    ),
    (
        'test_with_evaluation', 'fault', ['medicare.ncci_pair_not_allowed'], 'visit', NULL, 'medicare', FALSE,
        'evaluation', 'practitioner', FALSE
    ),
    (
        'test_in_hospital', 'near_miss', ['medicare.ncci_pair_not_allowed', 'medicare.ncci_pair_without_modifier'],
        'visit', NULL, 'medicare', FALSE, 'evaluation', 'hospital', FALSE
    ),
    (
        'test_in_hospital_unmarked', 'fault', ['medicare.ncci_pair_without_modifier'], 'visit', NULL, 'medicare',
        FALSE, 'evaluation', 'hospital', FALSE
    )
) AS listed (plant, kind, rules, grain, target_line, plans, quiet, note_type, setting, by_assistant);

-- Which plans a planted case may be put on.
CREATE TABLE plant_plan AS
SELECT
    plant.plant,
    practice.plan
FROM plant
INNER JOIN plan_practice AS practice
    ON
        CASE plant.plans
            WHEN 'any' THEN TRUE
            WHEN 'medicare' THEN practice.medicare
            WHEN 'assistant' THEN practice.asks_for_assistant
            WHEN 'capped' THEN practice.capped
            WHEN 'uncapped' THEN NOT practice.capped
            WHEN 'paired' THEN practice.sets_manual_therapy_apart
            ELSE practice.plan IS NOT NULL AND plant.plans = practice.unit_method
        END;

-- Cases that two visits share, in the order in which they are dealt out: two patients of one clinician, or one patient
-- with two clinicians (the first is then the physical therapist's). The other visit carries no truth of its own.
CREATE TABLE pair_plant AS
SELECT
    *,
    row_number() OVER (PARTITION BY shared_by ORDER BY place) - 1 AS turn,
    count(*) OVER (PARTITION BY shared_by) AS turns
FROM (
    VALUES
    (1, 'clinician', 'booked_twice', 'booked_twice_partner'),
    (2, 'clinician', 'in_turns', 'in_turns_partner'),
    (3, 'clinician', 'booked_within', 'booked_within_partner'),
    (4, 'clinician', 'one_after_another', 'one_after_another_partner'),
    (5, 'clinician', 'turns_too_long', 'turns_too_long_partner'),
    (6, 'clinician', 'group_of_two', 'group_of_two_partner'),
    (1, 'patient', 'together_double', 'together_double_partner'),
    (2, 'patient', 'together_split', 'together_split_partner'),
    (3, 'patient', 'together_partly_partner', 'together_partly'),
    (4, 'patient', 'together_half_billed', 'together_half_billed_partner'),
    (5, 'patient', 'together_three', 'together_three_partner'),
    (6, 'patient', 'mue_of_both_partner', 'mue_of_both')
) AS listed (place, shared_by, first_plant, second_plant);

-- By how many units a planted case changes what is billed.
CREATE TABLE unit_change (plant VARCHAR, slot INTEGER, units INTEGER);
INSERT INTO unit_change VALUES
('units_exceed', 1, 1),
('units_below', 1, -1),
('unit_on_wrong_code', 1, -1),
('unit_on_wrong_code', 2, 1),
('midpoint_exceeded', 1, 1),
('midpoint_missed', 1, -1);

-- By how many minutes a planted case changes the totals that the note states.
CREATE TABLE total_change (plant VARCHAR, timed_minutes INTEGER, total_minutes INTEGER);
INSERT INTO total_change VALUES
('timed_total_more', 5, 5),
('timed_total_less', -5, 0),
('treatment_total_short', 0, -10),
('timed_over_treatment', 0, -8),
('treatment_total_longer', 0, 10);

-- The discipline's and the assistant's modifiers that a planted case puts on its first line in place of the right ones.
CREATE TABLE modifier_change (plant VARCHAR, discipline VARCHAR, modifiers VARCHAR []);
INSERT INTO modifier_change VALUES
('modifier_missing', 'PT', []),
('modifier_missing', 'OT', []),
('modifier_missing', 'SLP', []),
('two_modifiers', 'PT', ['GP', 'GO']),
('two_modifiers', 'OT', ['GO', 'GP']),
('modifier_of_other', 'PT', ['GO']),
('modifier_of_other', 'OT', ['GP']),
('modifier_of_other_on_evaluation', 'PT', ['GO']),
('modifier_of_other_on_evaluation', 'OT', ['GP']),
('modifier_of_other_on_evaluation', 'SLP', ['GP']),
('both_assistant_marks', 'PT', ['GP', 'CQ', 'CO']),
('both_assistant_marks', 'OT', ['GO', 'CO', 'CQ']),
('mark_of_other_assistant', 'PT', ['GP', 'CO']),
('mark_of_other_assistant', 'OT', ['GO', 'CQ']),
('mark_with_other_discipline', 'PT', ['GO', 'CQ']),
('mark_with_other_discipline', 'OT', ['GP', 'CO']),
('mark_on_evaluation', 'PT', ['GP', 'CQ']),
('mark_on_evaluation', 'OT', ['GO', 'CO']),
('mark_on_speech', 'SLP', ['GN', 'CQ']);

-- What a planted case writes of a service in place of its own text; null is nothing.
CREATE TABLE text_change (plant VARCHAR, slot INTEGER, text VARCHAR);
INSERT INTO text_change VALUES
('pair_same_text', 1, 'Therapy as listed on the flow sheet, patient tolerated treatment well.'),
('pair_same_text', 2, 'Therapy as listed on the flow sheet, patient tolerated treatment well.'),
('pair_text_respelled', 1, 'Reaching and lifting at the counter, three sets of ten; tolerated well.'),
('pair_text_respelled', 2, 'Reaching and lifting at the counter,  three sets of ten; Tolerated well'),
('pair_without_texts', 1, NULL),
('pair_without_texts', 2, NULL),
('pair_marked_overlapping', 1, 'Practised pushing and lifting for the right shoulder, cues for pacing.'),
('pair_marked_overlapping', 2, 'Worked on the push stroke of the right shoulder, cues for pacing.'),
('group_marked_overlapping', 1, 'Group circuit for the left knee, four stations.'),
('group_marked_overlapping', 2, 'Strengthening of the left knee, three sets of ten.'),
('group_marked_elsewhere', 1, 'Group circuit for the neck, four stations.'),
('group_marked_elsewhere', 2, 'Strengthening of the left knee, three sets of ten.');

-- What else an audit may say where a case is planted: it follows from the same fault. Line rules name the case's lines.
CREATE TABLE consequence (plant VARCHAR, grain VARCHAR, rule VARCHAR);
INSERT INTO consequence VALUES
('note_missing', 'visit', 'medicare.timed_minutes_not_documented'),
('minutes_missing', 'visit', 'clinic.start_stop_missing'),
('minutes_missing', 'visit', 'clinic.same_day_pair_not_distinct'),
('service_missing', 'visit', 'medicare.timed_units_exceed_minutes'),
('service_missing', 'visit', 'medicare.timed_unit_on_wrong_code'),
('service_missing', 'visit', 'payers.ama_midpoint.units_exceed_midpoint'),
('service_missing', 'visit', 'clinic.same_day_pair_not_distinct'),
('two_modifiers', 'line', 'clinic.line_without_note'),
('modifier_of_other', 'line', 'clinic.line_without_note'),
('modifier_of_other_on_evaluation', 'line', 'clinic.line_without_note'),
('sole_under_eight', 'visit', 'medicare.timed_units_exceed_minutes'),
('untimed_twice', 'line', 'medicare.mue_exceeded'),
('evaluation_twice', 'line', 'medicare.mue_exceeded'),
('group_twice_in_office', 'line', 'medicare.untimed_code_multiple_units'),
('group_twice_in_hospital', 'line', 'medicare.untimed_code_multiple_units'),
('blocks_overlap', 'clinician_day', 'medicare.clinician_day_impossible'),
('pair_without_time', 'visit', 'clinic.start_stop_missing'),
('booked_twice', 'clinician_day', 'medicare.clinician_day_impossible'),
('booked_within', 'clinician_day', 'medicare.clinician_day_impossible'),
('turns_too_long', 'clinician_day', 'medicare.clinician_day_impossible'),
('together_half_billed', 'visit', 'medicare.timed_units_below_minutes'),
('together_half_billed_partner', 'visit', 'medicare.timed_units_below_minutes'),
('mark_with_other_discipline', 'line', 'medicare.discipline_modifier_conflict'),
('mark_with_other_discipline', 'line', 'clinic.line_without_note'),
('mark_on_evaluation', 'line', 'medicare.assistant_modifier_unsupported'),
('mark_on_speech', 'line', 'medicare.assistant_modifier_unsupported'),
('pair_marked_overlapping', 'visit', 'clinic.time_blocks_overlap'),
('pair_marked_overlapping', 'clinician_day', 'medicare.clinician_day_impossible');

-- What the truth says of lines that carry or lack KX, and of clinicians' habits.
CREATE TABLE kx_truth (kx_case VARCHAR, rule VARCHAR, kind VARCHAR);
INSERT INTO kx_truth VALUES
('missing', 'medicare.kx_missing', 'fault'),
('missing_on_crossing_line', 'medicare.kx_missing_on_crossing_line', 'fault'),
('routine', 'medicare.kx_routine', 'fault'),
('with_ga', 'medicare.kx_with_liability_modifier', 'fault'),
('with_gz', 'medicare.kx_with_liability_modifier', 'fault'),
('with_gy', 'medicare.kx_with_liability_modifier', 'near_miss'),
('first', 'medicare.kx_missing', 'near_miss'),
('first', 'medicare.discipline_modifier_missing', 'near_miss');

CREATE TABLE habit_truth (habit VARCHAR, rule VARCHAR, kind VARCHAR);
INSERT INTO habit_truth VALUES
('estimated', 'clinic.minutes_look_estimated', 'fault'),
('same_number', 'clinic.minutes_look_estimated', 'fault'),
('nearly_estimated', 'clinic.minutes_look_estimated', 'near_miss'),
('short', 'medicare.units_consistently_short', 'fault'),
('nearly_short', 'medicare.units_consistently_short', 'near_miss');

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
