-- What models, checks and reports reckon alike. No table is read here.

-- USD of so many units: those that sit on a code at that code's own price per unit, the rest at the visit's average.
CREATE OR REPLACE MACRO price_of_units(units, codes, units_by_code, unit_amount) AS round(
    coalesce(
        list_sum(list_transform(
            list_zip(codes, units_by_code),
            lambda pair: pair[2] * coalesce(pair[1].amount / nullif(pair[1].units_billed, 0), unit_amount)
        ))
        + (units - list_sum(units_by_code)) * unit_amount,
        units * unit_amount
    ), 2
);

-- A visit's codes in words, with one of their numbers: 97110 x1, 97530 x2.
CREATE OR REPLACE MACRO units_in_words(codes, units) AS coalesce(
    nullif(
        array_to_string(
            list_transform(
                list_filter(list_zip(codes, units), lambda pair: pair[2] > 0),
                lambda pair: pair[1].hcpcs_code || ' x' || pair[2]
            ), ', '
        ), ''
    ), 'nothing'
);

-- A visit's codes in words, with their minutes: 97110 10 min, 97530 20 min.
CREATE OR REPLACE MACRO minutes_in_words(codes) AS array_to_string(
    list_transform(codes, lambda item: item.hcpcs_code || ' ' || coalesce(item.minutes || ' min', 'no minutes')), ', '
);
