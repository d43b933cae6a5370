-- What models, checks and reports reckon alike. Of tables only `reviewed` reads any.

-- What a finding puts at stake: units of a code on a day of its patient and discipline (null: all of them), of whatever
-- timed codes where the code is null. Below 0 they are missing.
CREATE OR REPLACE MACRO stake(day, hcpcs_code, units) AS {
    'patient_id': NULL::VARCHAR,
    'service_date': day,
    'discipline': NULL::VARCHAR,
    'hcpcs_code': hcpcs_code::VARCHAR,
    'units': units::INTEGER
};

-- The same, for findings about several patients: all units of a code.
CREATE OR REPLACE MACRO stake_of_patient(patient_id, day, discipline, hcpcs_code) AS {
    'patient_id': patient_id,
    'service_date': day,
    'discipline': discipline,
    'hcpcs_code': hcpcs_code,
    'units': NULL::INTEGER
};

-- So many units of a visit's day, over its codes (an aggregate): first those that are too many of a code, then any.
CREATE OR REPLACE MACRO stake_of_units(day, units, hcpcs_code, units_by_code) AS list_transform(
    [
        {
            'day': any_value(day),
            'units': any_value(units)::INTEGER,
            'codes': coalesce(
                list({'code': hcpcs_code, 'units': units_by_code} ORDER BY units_by_code DESC, hcpcs_code)
                    FILTER (units_by_code > 0),
                []
            )
        }
    ],
    lambda visit: list_append(
        list_transform(
            visit.codes,
            lambda one, place: stake(
                visit.day,
                one.code,
                least(
                    one.units,
                    greatest(
                        visit.units - coalesce(
                            list_sum(list_transform(visit.codes[: place - 1], lambda other: other.units)), 0
                        ), 0
                    )
                )
            )
        ),
        stake(
            visit.day,
            NULL,
            greatest(
                visit.units - coalesce(list_sum(list_transform(visit.codes, lambda other: other.units)), 0), 0
            )
        )
    )
)[1];

-- So many timed units of a day, over a list of its visits (patient_id, discipline, units): those of the first go first.
CREATE OR REPLACE MACRO stake_of_visits(day, units, visits) AS list_transform(
    visits,
    lambda one, place: {
        'patient_id': one.patient_id::VARCHAR,
        'service_date': day,
        'discipline': one.discipline::VARCHAR,
        'hcpcs_code': NULL::VARCHAR,
        'units': least(
            one.units,
            greatest(
                units - coalesce(list_sum(list_transform(visits[: place - 1], lambda other: other.units)), 0), 0
            )
        )::INTEGER
    }
);

-- The same of units that are missing.
CREATE OR REPLACE MACRO stake_of_missing_units(day, units, hcpcs_code, units_by_code) AS list_transform(
    stake_of_units(day, units, hcpcs_code, units_by_code),
    lambda one: stake(one.service_date, one.hcpcs_code, -one.units)
);

-- A visit's codes in words, with one of their numbers (an aggregate): 97110 x1, 97530 x2.
CREATE OR REPLACE MACRO units_in_words(hcpcs_code, units) AS coalesce(
    string_agg(hcpcs_code || ' x' || units, ', ' ORDER BY hcpcs_code) FILTER (units > 0), 'nothing'
);

-- A visit's codes in words, with their minutes (an aggregate): 97110 10 min, 97530 20 min.
CREATE OR REPLACE MACRO minutes_in_words(hcpcs_code, minutes) AS string_agg(
    hcpcs_code || ' ' || coalesce(minutes || ' min', 'no minutes'), ', ' ORDER BY hcpcs_code
);

-- Units that so many pooled minutes earn: 8 to 22 make one, and every 15 more another.
CREATE OR REPLACE MACRO units_of_minutes(minutes) AS CASE WHEN minutes < 8 THEN 0 ELSE (minutes + 7) // 15 END;

-- Whether blocks of the clock (start * 1440 + stop, sorted) overlap: then two neighbours among them do.
CREATE OR REPLACE MACRO has_overlap(blocks) AS list_bool_or(list_transform(
    list_zip(blocks[: -2], blocks[2:]), lambda pair: pair[2] // 1440 < pair[1] % 1440
));

-- The assistant's share of the minutes, in whole percent, is 11 or more.
CREATE OR REPLACE MACRO exceeds_tenth_by_percentage(therapist_minutes, assistant_minutes) AS coalesce(
    round(100.0 * assistant_minutes / nullif(therapist_minutes + assistant_minutes, 0)) >= 11, FALSE
);

-- The assistant's minutes are at least the tenth part of all, rounded, plus one.
CREATE OR REPLACE MACRO exceeds_tenth_simply(therapist_minutes, assistant_minutes) AS
    assistant_minutes >= round((therapist_minutes + assistant_minutes) / 10.0) + 1;

-- Units left after the full 15s that are the assistant's, given the minutes that each has left (under 15).
CREATE OR REPLACE MACRO units_left_to_assistant(therapist, assistant, units_left, midpoint_rule, exceeds_tenth) AS CASE
    WHEN NOT midpoint_rule THEN if(exceeds_tenth, units_left, 0)
    WHEN units_left = 1
        THEN CASE WHEN therapist >= 8 THEN 0 WHEN assistant >= 8 THEN 1 ELSE exceeds_tenth::INTEGER END
    -- Two units and more: the therapist's midpoint keeps one of them.
    WHEN therapist >= 8 AND assistant >= 8 THEN units_left - 1
    WHEN therapist >= 8 THEN if(exceeds_tenth, units_left - 1, 0)
    ELSE if(exceeds_tenth, units_left, 0)
END;

-- Of `units` billed of one code, how many an assistant furnished, given the minutes that the therapist and the
-- assistant each gave on their own (42 CFR 410.59 and 410.60 (a)(4)). Full 15s go to the one who gave them. What is
-- left: since 2022 the therapist's 8 minutes make a unit the therapist's and, failing these, the assistant's 8 the
-- assistant's; where each gave 9 to 14 and together 23 to 28, each has one of two units. Else more than 10 % by the
-- assistant makes it the assistant's. CMS published two ways to reckon 10 %: by the rounded percentage (11 and more),
-- and by the rounded tenth of the total plus one. due: units by the percentage; least: by whichever way asks for
-- fewest; most: by either, and where the minutes leave open which units were billed.
CREATE OR REPLACE MACRO assistant_units(therapist_minutes, assistant_minutes, units, midpoint_rule) AS (
    list_transform(
        [
            {
                'full_therapist': therapist_minutes // 15,
                'full_assistant': assistant_minutes // 15,
                'therapist': therapist_minutes % 15,
                'assistant': assistant_minutes % 15,
                'left': units - therapist_minutes // 15 - assistant_minutes // 15
            }
        ],
        lambda rest: CASE
            WHEN assistant_minutes = 0 THEN {'due': 0, 'least': 0, 'most': 0}
            WHEN therapist_minutes = 0 THEN {'due': units, 'least': units, 'most': units}
            -- Fewer units than full 15s: which of them were billed is open.
            WHEN rest.left <= 0
                THEN {
                    'due': greatest(0, units - rest.full_therapist),
                    'least': greatest(0, units - rest.full_therapist),
                    'most': least(units, rest.full_assistant)
                }
            ELSE {
                'due': rest.full_assistant + units_left_to_assistant(
                    rest.therapist, rest.assistant, rest.left, midpoint_rule,
                    exceeds_tenth_by_percentage(rest.therapist, rest.assistant)
                ),
                'least': rest.full_assistant + units_left_to_assistant(
                    rest.therapist, rest.assistant, rest.left, midpoint_rule,
                    exceeds_tenth_by_percentage(rest.therapist, rest.assistant)
                    AND exceeds_tenth_simply(rest.therapist, rest.assistant)
                ),
                'most': rest.full_assistant + units_left_to_assistant(
                    rest.therapist, rest.assistant, rest.left, midpoint_rule,
                    exceeds_tenth_by_percentage(rest.therapist, rest.assistant)
                    OR exceeds_tenth_simply(rest.therapist, rest.assistant)
                )
            }
        END
    )[1]
);

-- How far a balance rests on the fee schedule, to end a message with; nothing where it does not.
CREATE OR REPLACE MACRO expected_in_words(amounts, stale) AS CASE
    WHEN amounts = 0 THEN ''
    ELSE
        '; ' || amounts || if(amounts = 1, ' amount so far is', ' amounts so far are')
        || ' expected from the fee schedule'
        || CASE
            WHEN stale = 0 THEN ''
            WHEN stale = amounts THEN ', by an edition of another date'
            ELSE ', ' || stale || ' of them by an edition of another date'
        END
END;

-- The same for a code that is not counted in time: the service as a whole is the one's or the other's.
CREATE OR REPLACE MACRO assistant_units_untimed(therapist_minutes, assistant_minutes, units) AS {
    'due': if(exceeds_tenth_by_percentage(therapist_minutes, assistant_minutes), units, 0),
    'least': if(
        exceeds_tenth_by_percentage(therapist_minutes, assistant_minutes)
        AND exceeds_tenth_simply(therapist_minutes, assistant_minutes), units, 0
    ),
    'most': if(
        exceeds_tenth_by_percentage(therapist_minutes, assistant_minutes)
        OR exceeds_tenth_simply(therapist_minutes, assistant_minutes), units, 0
    )
};

-- The part of an amount from one share of it to another, in cents: parts that meet add up to the whole.
CREATE OR REPLACE MACRO share_of(amount, part_from, part_to) AS
    (round(amount * part_to, 2) - round(amount * part_from, 2))::DECIMAL(12, 2);

-- What an amount comes to less a share of it, rounded to cents. (Small decimals are reckoned several times as fast.)
CREATE OR REPLACE MACRO due_after(due, share) AS
    (due::DECIMAL(11, 2) - round(due::DECIMAL(11, 2) * share::DECIMAL(5, 4), 2))::DECIMAL(11, 2);

-- What Medicare pays of what is left after the patient's share: less the share for an assistant, and of the rest less
-- sequestration, each rounded to cents.
CREATE OR REPLACE MACRO payment_after(due, assistant_share, sequestration_share) AS
    due_after(due_after(due, assistant_share), sequestration_share);

-- The lesser of an amount and what was charged; null where there is no amount.
CREATE OR REPLACE MACRO at_most(amount, charge) AS CASE WHEN amount > charge THEN charge ELSE amount END;

-- How a price comes about, in words: 1 unit at $34.61 and 1 at $24.58.
CREATE OR REPLACE MACRO price_in_words(full_units, full_unit_fee, reduced_units, reduced_unit_fee, judged_by) AS
    concat_ws(
        ' and ',
        CASE
            WHEN full_units > 0
                THEN full_units || if(full_units = 1, ' unit at ', ' units at ')
                    || format('${:,.2f}', full_unit_fee::DOUBLE)
        END,
        CASE
            WHEN reduced_units > 0
                THEN reduced_units || if(reduced_units = 1, ' unit at ', ' units at ')
                    || format('${:,.2f}', reduced_unit_fee::DOUBLE) || ' reduced'
        END
    ) || CASE judged_by
        WHEN 'level of the biller' THEN ', at the level of the biller''s other lines'
        WHEN 'any locality' THEN ', national; no locality explains the difference'
        ELSE ''
    END;

-- What a decision on a finding rests on: the facts and the dollars, but not how long it has been since. A letter first,
-- so that no spreadsheet takes it for a number.
CREATE OR REPLACE MACRO facts_hash(rule, amount, facts) AS
'f' || left(md5(concat_ws(
    '|',
    rule,
    amount::DECIMAL(12, 2)::VARCHAR,
    json_merge_patch(facts::JSON, '{"days_open": null, "known_until": null}')::VARCHAR
)), 15);

-- The last day on which a dismissal holds; null: for good. `days` is the clinic's term, 0 for none: with a term, a
-- dismissal without any date does not hold.
CREATE OR REPLACE MACRO dismissed_until(valid_until, reviewed_on, days) AS CASE
    WHEN valid_until IS NOT NULL OR coalesce(days, 0) = 0 THEN valid_until
    ELSE coalesce((reviewed_on + days::INTEGER)::DATE, DATE '0001-01-01')
END;

-- What a decision means for a finding as it is now, on the day of the run (finding_review.review_state).
CREATE OR REPLACE MACRO review_state(disposition, reviewed_on, decided_hashes, finding_hash, until_day, run_day) AS CASE
    WHEN disposition IS NULL THEN 'open'
    WHEN disposition = 'corrected' AND run_day > reviewed_on THEN 'came_back'
    WHEN len(decided_hashes) > 0 AND NOT list_contains(decided_hashes, finding_hash) THEN 'changed'
    WHEN disposition = 'dismissed' AND until_day < run_day THEN 'expired'
    ELSE disposition
END;

-- What decisions mean for the findings of a table (finding_id, rule, amount_at_risk, facts): rows of finding_review.
CREATE OR REPLACE MACRO reviewed(findings) AS TABLE
WITH decided AS (
    SELECT
        decision.*,
        facts_hash(found.rule, found.amount_at_risk, found.facts) AS finding_hash,
        CASE
            WHEN decision.disposition = 'dismissed'
                THEN
                    dismissed_until(
                        decision.valid_until,
                        decision.reviewed_on,
                        (SELECT max(value) FROM parameter WHERE name = 'clinic.dismissal_days')
                    )
        END AS until_day
    FROM query_table(findings) AS found
    INNER JOIN review_decision AS decision ON found.finding_id = decision.finding_id
)

SELECT
    finding_id,
    disposition,
    review_state(
        disposition, reviewed_on, facts_hashes, finding_hash, until_day, (SELECT max(run_day) FROM run_day)
    ) AS review_state,
    reviewer,
    reviewed_on,
    until_day AS valid_until,
    note
FROM decided;
