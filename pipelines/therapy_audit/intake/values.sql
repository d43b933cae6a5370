-- How a cell's text becomes a value. Each macro takes trimmed text (or null) and returns null where it cannot read it.

-- Text without surrounding white space (no-break and zero-width included); null where nothing is left or it stands for nothing.
-- Marks that show a text in another order than it is stored in go too.
CREATE OR REPLACE TEMP MACRO stripped(v) AS
CASE
    WHEN regexp_matches(v, '^[^!-~]|[^!-~]$|[\x{061C}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2066}-\x{2069}]')
        THEN trim(
            regexp_replace(v, '[\x{061C}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2066}-\x{2069}]', '', 'g'),
            E' \t\r\n\x1f' || chr(160) || chr(8203) || chr(65279)
        )
    ELSE v
END;

CREATE OR REPLACE TEMP MACRO cell(v) AS
CASE
    WHEN stripped(v) IN ('', 'NULL', 'null', 'Null', '(null)', E'\\N', 'nan', 'NaN', 'NaT', 'None', '<NA>', 'N/A', 'n/a', '#N/A') THEN NULL
    ELSE stripped(v)
END;

-- The shape of a refused value, never the value.
CREATE OR REPLACE TEMP MACRO value_class(v) AS
CASE
    WHEN v IS NULL OR v = '' THEN 'empty'
    WHEN length(v) > 40 THEN 'long'
    WHEN regexp_full_match(v, '[0-9]+') THEN 'digits'
    WHEN regexp_full_match(v, '[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}.*') THEN 'date'
    WHEN regexp_full_match(v, '[-+($ ]*[0-9][0-9,]*([.][0-9]+)?[) ]*') THEN 'money'
    WHEN regexp_full_match(v, '[\pL ]+') THEN 'letters'
    ELSE 'mixed'
END;

-- Brackets and quotes around a list: {97110,97140}, [1; 2], ["GP"].
CREATE OR REPLACE TEMP MACRO unbracketed(v) AS trim(regexp_replace(v, '[\[\]{}"'']', '', 'g'));

-- A whole number without a sign; '2.0', '2 units' and '1,200' count. Null above the limit.
CREATE OR REPLACE TEMP MACRO whole(v, most) AS
CASE
    -- As it is written: the cast alone would take 0x10, 1e3 and 1_0 too.
    WHEN TRY_CAST(v AS INTEGER) BETWEEN 0 AND most AND TRY_CAST(v AS INTEGER)::VARCHAR = v THEN TRY_CAST(v AS INTEGER)
    WHEN
        TRY_CAST(replace(regexp_extract(unbracketed(v), '(?i)^([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:[.]0*)?\s*(?:units?|u|ea|visits?)?[.]?$', 1), ',', '') AS INTEGER) <= most
        THEN TRY_CAST(replace(regexp_extract(unbracketed(v), '(?i)^([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:[.]0*)?\s*(?:units?|u|ea|visits?)?[.]?$', 1), ',', '') AS INTEGER)
END;

-- Whole minutes: '30', '30.0', '30 min', '0:30' and '0:30:00' (hours and minutes of a day).
CREATE OR REPLACE TEMP MACRO whole_minutes(v) AS
CASE
    WHEN TRY_CAST(v AS INTEGER) BETWEEN 0 AND 1440 AND TRY_CAST(v AS INTEGER)::VARCHAR = v THEN TRY_CAST(v AS INTEGER)
    WHEN regexp_full_match(v, '[0-9]{1,2}:[0-5][0-9](:00)?')
        THEN CASE
            WHEN TRY_CAST(split_part(v, ':', 1) AS INTEGER) < 24
                THEN 60 * TRY_CAST(split_part(v, ':', 1) AS INTEGER) + TRY_CAST(split_part(v, ':', 2) AS INTEGER)
        END
    ELSE whole(regexp_replace(unbracketed(v), '(?i)\s*(minutes?|mins?|m)[.]?$', ''), 1440)
END;

-- USD: '$1,234.50', '(12.00)', '-12.00', '12.00-', 'USD 12'.
CREATE OR REPLACE TEMP MACRO money(v) AS
CASE
    WHEN regexp_full_match(v, '-?[0-9]{1,10}([.][0-9]{1,4})?') THEN TRY_CAST(v AS DECIMAL(12, 2))
    WHEN regexp_full_match(unbracketed(v), '(?i)[$]?[(]?[-+]?\s*(usd)?\s*[$]?\s*[-+]?(([0-9]{1,3}(,[0-9]{3})+|[0-9]{1,10})([.][0-9]*)?|[.][0-9]+)\s*[-]?\s*[)]?')
        AND len(regexp_extract_all(v, '[-+(]')) <= 1
        THEN TRY_CAST(
            (CASE WHEN regexp_matches(v, '[-(]') THEN '-' ELSE '' END) || regexp_replace(v, '[^0-9.]', '', 'g') AS DECIMAL(12, 2)
        )
END;

-- An NPI as written, without the .0 that spreadsheets add.
CREATE OR REPLACE TEMP MACRO npi(v) AS regexp_replace(v, '^([0-9]{10})[.]0*$', '\1');

-- Identifiers that a spreadsheet turned into numbers lose their .0.
CREATE OR REPLACE TEMP MACRO identifier(v) AS CASE WHEN suffix(v, '.0') THEN regexp_replace(v, '^([0-9]+)[.]0$', '\1') ELSE v END;

-- The day part of a date cell: without weekday and time.
CREATE OR REPLACE TEMP MACRO day_text(v) AS
regexp_replace(
    regexp_replace(regexp_replace(v, '^(.*?[0-9])(?:[T,]|\s)+[0-9]{1,2}:[0-9]{2}.*$', '\1'), '(?i)^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[.]?,?\s+', ''),
    '^([0-9]{8})[.]0$', '\1'
);

CREATE OR REPLACE TEMP MACRO full_year(y) AS CASE WHEN length(y) > 2 THEN y WHEN y >= '90' THEN '19' || y ELSE '20' || y END;

CREATE OR REPLACE TEMP MACRO calendar_day(y, m, d) AS TRY_CAST(full_year(y) || '-' || lpad(m, 2, '0') || '-' || lpad(d, 2, '0') AS DATE);

CREATE OR REPLACE TEMP MACRO month_number(name) AS
printf('%02d', list_position(['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'], lower(name[1:3])));

-- The two leading numbers and the year of a date whose order the text does not tell: 1/5/2026, 5.1.26.
CREATE OR REPLACE TEMP MACRO numeric_day(v) AS
regexp_extract(v, '^([0-9]{1,2})\s*[-/.]\s*([0-9]{1,2})\s*[-/.]\s*([0-9]{4}|[0-9]{2})$', ['first', 'second', 'year']);

-- A date in any of the forms that are read; day_first decides only those of numeric_day.
CREATE OR REPLACE TEMP MACRO read_day(v, day_first) AS
CASE
    WHEN regexp_full_match(v, '[0-9]{4}-[0-9]{2}-[0-9]{2}') THEN TRY_CAST(v AS DATE)
    WHEN regexp_full_match(v, '[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}')
        THEN calendar_day(v[1:4], regexp_extract(v, '^.{4}[-/.]([0-9]+)', 1), regexp_extract(v, '([0-9]+)$', 1))
    WHEN regexp_full_match(v, '(19|20|21)[0-9]{6}') THEN calendar_day(v[1:4], v[5:6], v[7:8])
    WHEN regexp_full_match(v, '[0-9]{8}') THEN calendar_day(v[5:8], v[1:2], v[3:4])
    WHEN regexp_full_match(v, '[0-9]{5}([.][0-9]+)?') AND TRY_CAST(v AS DOUBLE) BETWEEN 32874 AND 73415
        THEN DATE '1899-12-30' + CAST(floor(TRY_CAST(v AS DOUBLE)) AS INTEGER)
    WHEN numeric_day(v).year <> ''
        THEN CASE
            WHEN day_first THEN calendar_day(numeric_day(v).year, numeric_day(v).second, numeric_day(v).first)
            ELSE calendar_day(numeric_day(v).year, numeric_day(v).first, numeric_day(v).second)
        END
    WHEN regexp_matches(v, '(?i)^[0-9]{1,2}[-\s/.]*(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-\s,/.]*([0-9]{4}|[0-9]{2})$')
        THEN calendar_day(regexp_extract(v, '([0-9]+)$', 1), month_number(regexp_extract(v, '([a-zA-Z]+)', 1)), regexp_extract(v, '^([0-9]+)', 1))
    WHEN regexp_matches(v, '(?i)^(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-\s,/.]*[0-9]{1,2}(st|nd|rd|th)?[-\s,/.]+([0-9]{4}|[0-9]{2})$')
        THEN calendar_day(
            regexp_extract(v, '([0-9]+)$', 1), month_number(v), regexp_extract(v, '^[a-zA-Z]+[-\s,/.]*([0-9]{1,2})', 1)
        )
END;

-- A time of day: 14:05, 2:05 PM, 2:05:00 p.m., 1405, or the time part of a date and time.
CREATE OR REPLACE TEMP MACRO clock(v) AS
CASE
    WHEN regexp_extract(v, '(?i)(?:^|[T\s])([0-9]{1,2}:[0-9]{2})(?::[0-9.]+)?\s*([ap])?[.]?m?[.]?$', ['clock', 'half']).clock <> ''
        THEN CAST(
            COALESCE(
                try_strptime(regexp_extract(v, '(?i)(?:^|[T\s])([0-9]{1,2}:[0-9]{2})(?::[0-9.]+)?\s*([ap])[.]?m[.]?$', 1)
                || ' ' || regexp_extract(v, '(?i)\s*([ap])[.]?m[.]?$', 1) || 'm', '%I:%M %p'),
                CASE
                    WHEN NOT regexp_matches(v, '(?i)[ap][.]?m[.]?$')
                        THEN try_strptime(regexp_extract(v, '(?:^|[T\s])([0-9]{1,2}:[0-9]{2})(?::[0-9.]+)?$', 1), '%H:%M')
                END
            ) AS TIME
        )
    WHEN regexp_full_match(v, '[0-9]{3,4}') THEN CAST(try_strptime(lpad(v, 4, '0')[1:2] || ':' || lpad(v, 4, '0')[3:4], '%H:%M') AS TIME)
END;

-- The first and the second time of a span such as 9:05-9:20 or 9:05 AM to 9:20 AM; empty where it is none.
CREATE OR REPLACE TEMP MACRO clock_span(v, part) AS regexp_extract(
    v, '(?i)^\s*([0-9]{1,2}:?[0-9]{2}\s*(?:[ap][.]?m?[.]?)?)\s*(?:-|–|to)\s*([0-9]{1,2}:?[0-9]{2}\s*(?:[ap][.]?m?[.]?)?)\s*$', part
);

-- What a wording is looked up by: letters and digits in lower case.
CREATE OR REPLACE TEMP MACRO word_key(v) AS regexp_replace(lower(v), '[^a-z0-9]', '', 'g');

-- The wording without what follows it: 'Min A x2', 'CGA for balance', 'PT, DPT', 'PT - Outpatient'.
CREATE OR REPLACE TEMP MACRO leading_words(v) AS regexp_replace(lower(v), '\s*([(,:;]|\s-\s|\s[x×]\s?[0-9]|\s(for|with|w/|of|due)\s|\s[0-9]+\s?%).*$', '');

-- Modifiers of one cell in any form: 'GP,KX', 'GP KX', 'GPKX', '{GP,59.0}'. Null where one is not two characters.
CREATE OR REPLACE TEMP MACRO modifier_tokens(v) AS
list_filter(
    flatten(
        list_transform(
            regexp_extract_all(upper(v), '[A-Z0-9]+(?:[.]0*)?'),
            lambda t: CASE
                WHEN regexp_full_match(t, '([A-Z][A-Z0-9]|[0-9]{2}){2,6}') THEN regexp_extract_all(t, '..')
                ELSE [regexp_replace(t, '[.]0*$', '')]
            END
        )
    ),
    lambda t: t NOT IN ('', '0', '00')
);

-- A cell of codes cut before each code that follows a separator; spaces part codes only where there is nothing but codes.
CREATE OR REPLACE TEMP MACRO code_pieces(v) AS
list_filter(
    string_split(
        regexp_replace(
            CASE
                WHEN regexp_full_match(upper(v), '[\[{"(]*(?:(?:[0-9]{5}|[A-V][0-9]{4}|[0-9]{4}[FTUM])(?:[-:.][A-Z0-9]{1,2})*(?:\s+|$|[\]}")]))+')
                    THEN regexp_replace(upper(v), '\s+', ',', 'g')
                ELSE upper(v)
            END,
            '(?:^|[,;|/+&{}\[\]\n\x1f])[\s,;|/+&{}\[\]"''\n\x1f]*(?:(?:CPT|HCPCS)[\s:#-]*)?((?:[0-9]{5}|[A-V][0-9]{4}|[0-9]{4}[FTUM])(?:\b|[A-Z]))', E'\x1f\\1', 'g'
        ),
        E'\x1f'
    ),
    lambda p: regexp_matches(p, '[A-Z0-9]')
);

-- The single code of a piece, what follows it, the modifiers glued to it and the units beside it ('97110-GP', '97110 x2', '97110 (2)').
CREATE OR REPLACE TEMP MACRO piece_codes(p) AS
regexp_extract_all(p, '\b([0-9]{5}|[A-V][0-9]{4}|[0-9]{4}[FTUM])(?:\b|[A-Z])', 1);

CREATE OR REPLACE TEMP MACRO piece_tail(p) AS regexp_extract(p, '(?s)\b(?:[0-9]{5}|[A-V][0-9]{4}|[0-9]{4}[FTUM])(\W.*|[A-Z].*)$', 1);

CREATE OR REPLACE TEMP MACRO tail_glued(t) AS regexp_extract(t, '^(?:(?:[-:.][A-Z0-9]{2}\b)+|[A-Z][A-Z0-9]\b)');

CREATE OR REPLACE TEMP MACRO tail_modifiers(t) AS
list_filter(
    regexp_extract_all(tail_glued(t), '[A-Z0-9]{2}')
    || CASE
        WHEN
            regexp_full_match(
                t[length(tail_glued(t)) + 1:],
                '(?:[\s,:;./_-]*\b(?:G[AGNOPQTXYZ]|K[FSX]|C[OQR]|X[EPSU]|A[FT]|Q[567]|2[2456]|5[0-9]|7[69]|9[3567])\b)+[\s,:;./_)\]}"''-]*'
            )
            THEN regexp_extract_all(t[length(tail_glued(t)) + 1:], '[A-Z0-9]{2}')
        ELSE []
    END,
    lambda m: m <> '00'
);

CREATE OR REPLACE TEMP MACRO tail_units(t) AS
COALESCE(
    TRY_CAST(regexp_extract(t, '(?:\bX|×|[*])\s*([0-9]{1,2})\s*(?:U|UNITS?)?\s*(?:$|[,;)\]}"])', 1) AS INTEGER),
    TRY_CAST(regexp_extract(t, '[(]\s*X?\s*([0-9]{1,2})\s*(?:U|UNITS?)?\s*[)]', 1) AS INTEGER)
);

-- The values of a cell that lists one for each of n codes; a list of one where the cell is a single value.
CREATE OR REPLACE TEMP MACRO cell_parts(v, n) AS
CASE
    WHEN v IS NULL THEN NULL
    WHEN regexp_matches(v, '[;|\n\x1f]') THEN list_transform(regexp_split_to_array(trim(unbracketed(v), E';|\n '), '[;|\n\x1f]'), lambda p: cell(p))
    WHEN money(v) IS NOT NULL AND NOT regexp_matches(v, '[\[{]') THEN [v]
    WHEN contains(v, ',') THEN list_transform(string_split(unbracketed(v), ','), lambda p: cell(p))
    WHEN len(regexp_split_to_array(unbracketed(v), '\s+')) = n THEN list_transform(regexp_split_to_array(unbracketed(v), '\s+'), lambda p: cell(p))
    ELSE [v]
END;

-- The same for modifiers, where a comma also parts the modifiers of one code: by commas only where one is repeated (GP,GP).
CREATE OR REPLACE TEMP MACRO modifier_parts(v, n) AS
CASE
    WHEN v IS NULL THEN NULL
    WHEN len(regexp_split_to_array(regexp_replace(v, '\]\s*,\s*\[', ';', 'g'), '[;|\n\x1f]')) = n
        THEN regexp_split_to_array(regexp_replace(v, '\]\s*,\s*\[', ';', 'g'), '[;|\n\x1f]')
    WHEN len(string_split(v, ',')) = n AND len(list_distinct(modifier_tokens(v))) < len(modifier_tokens(v)) THEN string_split(v, ',')
    ELSE [v]
END;
