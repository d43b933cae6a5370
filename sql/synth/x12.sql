-- The same claims and remittances as a clearinghouse holds them: 837P, a transaction for each day of sending, and 835,
-- one for each payment. One row per transaction (ST to SE), in the order of the file; names are invented.
CREATE MACRO x12_date(day) AS strftime(day, '%Y%m%d');

-- The adjustments of one group as its CAS segment.
CREATE MACRO x12_group(adjustments, wanted) AS coalesce(
    'CAS*' || wanted || '*' || nullif(
        array_to_string(
            list_transform(
                list_filter(adjustments, lambda one: one.of_group = wanted),
                lambda one: one.code || '*' || one.amount::DECIMAL(12, 2)
            ), '**'
        ), ''
    ) || '~', ''
);

-- A transaction with its trailer, which counts the segments.
CREATE MACRO x12_transaction(text, number) AS
text || 'SE*' || (length(text) - length(replace(text, '~', '')) + 1) || '*' || number || '~';

CREATE VIEW claims_x12 AS
WITH claim AS (
    SELECT
        submitted_date,
        billing_npi,
        claim_id,
        frequency,
        any_value(patient_id) AS patient_id,
        any_value(payer) AS payer,
        any_value(medicare) AS medicare,
        any_value(place_of_service) AS place_of_service,
        any_value(diagnosis_codes) AS diagnosis_codes,
        any_value(therapist_npi) AS therapist_npi,
        sum(charge_amount) AS charge_amount,
        string_agg(
            'LX*' || claim_line_number || '~SV1*' || array_to_string(['HC', hcpcs_code] || modifiers, ':') || '*'
            || charge_amount || '*UN*' || units || '***1~DTP*472*D8*' || x12_date(service_date) || '~REF*6R*'
            || claim_line_number || '~', '' ORDER BY claim_line_number
        ) AS lines
    FROM sent_line
    GROUP BY submitted_date, billing_npi, claim_id, frequency
),

numbered AS (
    SELECT
        *,
        row_number() OVER day AS place,
        dense_rank() OVER (PARTITION BY submitted_date ORDER BY billing_npi) AS biller
    FROM claim
    WINDOW day AS (PARTITION BY submitted_date ORDER BY billing_npi, claim_id, frequency)
),

nested AS (
    SELECT
        *,
        min(place) OVER (PARTITION BY submitted_date, biller) AS first_place
    FROM numbered
),

written AS (
    SELECT
        submitted_date,
        place,
        if(
            place = first_place,
            'HL*' || (first_place + biller - 1) || '**20*1~NM1*85*2*CLINIC*****XX*' || billing_npi
            || '~N3*1 ELM STREET~N4*COLUMBIA*SC*292010000~REF*EI*570000000~', ''
        )
        || 'HL*' || (place + biller) || '*' || (first_place + biller - 1) || '*22*0~SBR*P*18*******'
        || if(medicare, 'MB', 'CI') || '~NM1*IL*1*DOE*PAT****MI*' || patient_id
        || '~N3*1 MAIN STREET~N4*COLUMBIA*SC*29201~DMG*D8*19500101*F~NM1*PR*2*' || payer || '*****PI*00001~CLM*'
        || claim_id || '*' || charge_amount || '***' || place_of_service || ':B:' || frequency || '*Y*A*Y*Y~'
        || if(frequency = '1', '', 'REF*F8*ICN' || claim_id || '~')
        || 'HI*ABK:' || replace(array_to_string(diagnosis_codes, '*ABF:'), '.', '')
        || '~NM1*82*1*THERAPIST*LOU****XX*' || therapist_npi || '~PRV*PE*PXC*'
        || CASE clinician.credential
            WHEN 'PT' THEN '225100000X'
            WHEN 'PTA' THEN '225200000X'
            WHEN 'OT' THEN '225X00000X'
            WHEN 'OTA' THEN '224Z00000X'
            WHEN 'SLP' THEN '235Z00000X'
        END
        || '~' || lines AS text
    FROM nested
    INNER JOIN clinician ON nested.therapist_npi = clinician.npi
),

transaction AS (
    SELECT
        submitted_date,
        format('{:04d}', row_number() OVER (ORDER BY submitted_date)) AS number,
        string_agg(text, '' ORDER BY place) AS text
    FROM written
    GROUP BY submitted_date
)

SELECT
    x12_transaction(
        'ST*837*' || number || '*005010X222A1~BHT*0019*00*' || number || '*' || x12_date(submitted_date)
        || '*1200*CH~NM1*41*2*CLINIC*****46*1~PER*IC*BILLING*TE*8035550100~NM1*40*2*CLEARINGHOUSE*****46*2~' || text,
        number
    ) AS text
FROM transaction
ORDER BY submitted_date;

CREATE VIEW remittances_x12 AS
-- The first service that is paid and reduced to a price carries the wrong adjustment, where one is planted.
WITH line AS (
    SELECT
        answer.*,
        remittance.imbalance,
        first_value(remittance_line_number) OVER (
            PARTITION BY remittance_id ORDER BY sign = 1 AND outcome = 'paid' DESC, remittance_line_number
        ) = remittance_line_number AS is_first
    FROM answer
    INNER JOIN remittance USING (remittance_id)
),

adjusted AS (
    SELECT
        * REPLACE (
            if(
                is_first AND imbalance IS NOT DISTINCT FROM 'service',
                list_transform(
                    adjustments,
                    lambda one, i: struct_update(one, amount := one.amount + if(i = 1, 1.00, 0.00))
                ), adjustments
            ) AS adjustments
        )
    FROM line
),

claim AS (
    SELECT
        remittance_id,
        claim_key,
        min(remittance_line_number) AS place,
        any_value(claim_id) AS claim_id,
        any_value(claim_status) AS claim_status,
        any_value(patient_id) AS patient_id,
        any_value(received_date) AS received_date,
        sum(charge_amount) + if(bool_or(is_first) AND any_value(imbalance) IS NOT DISTINCT FROM 'claim', 5.00, 0.00)
            AS charge_amount,
        sum(paid_amount) AS paid_amount,
        sum(share_amount) AS share_amount,
        string_agg(
            'SVC*' || array_to_string(['HC', hcpcs_code] || modifiers, ':') || '*' || charge_amount || '*'
            || paid_amount || '**' || units_paid || if(units_paid = units, '', '**' || units) || '~DTM*472*'
            || x12_date(service_date) || '~' || x12_group(adjustments, 'CO') || x12_group(adjustments, 'OA')
            || x12_group(adjustments, 'PR')
            || if(is_garbled OR line_number IS NULL, '', 'REF*6R*' || line_number || '~')
            || if(allowed_amount = 0, '', 'AMT*B6*' || allowed_amount || '~')
            || array_to_string(
                list_transform(
                    list_filter(adjustments, lambda one: one.remark IS NOT NULL),
                    lambda one: 'LQ*HE*' || one.remark || '~'
                ), ''
            ), '' ORDER BY remittance_line_number
        ) AS lines
    FROM adjusted
    GROUP BY remittance_id, claim_key
),

body AS (
    SELECT
        remittance_id,
        string_agg(
            'CLP*' || claim_id || '*' || claim_status || '*' || charge_amount || '*' || paid_amount || '*'
            || share_amount || '*12*ICN' || claim_id || '*11*1~NM1*QC*1*DOE*PAT****MI*' || patient_id || '~DTM*050*'
            || x12_date(received_date) || '~' || lines, '' ORDER BY place
        ) AS text
    FROM claim
    GROUP BY remittance_id
),

transaction AS (
    SELECT
        remittance.*,
        body.text,
        format('{:04d}', row_number() OVER (ORDER BY remittance.paid_date, remittance_id)) AS number,
        (SELECT min(billing_npi) FROM site) AS billing_npi
    FROM remittance
    INNER JOIN body USING (remittance_id)
)

SELECT
    x12_transaction(
        'ST*835*' || number || '~BPR*I*' || (paid_amount + if(imbalance IS NOT DISTINCT FROM 'payment', 10.00, 0.00))
        || '*C*ACH*CCP*01*011000015*DA*1*1999999999**01*011000015*DA*1*' || x12_date(paid_date) || '~TRN*1*'
        || remittance_id || '*1999999999~DTM*405*' || x12_date(paid_date) || '~N1*PR*' || payer
        || '~N3*1 OAK STREET~N4*COLUMBIA*SC*29201~N1*PE*CLINIC*XX*' || billing_npi || '~LX*1~' || text
        || CASE
            WHEN forward_amount = 0 AND interest_amount = 0 THEN ''
            ELSE 'PLB*' || billing_npi || '*' || year(paid_date) || '1231'
                || if(forward_amount = 0, '', '*FB:' || remittance_id || '*' || forward_amount)
                || if(interest_amount = 0, '', '*L6:' || remittance_id || '*' || interest_amount)
                || '~'
        END,
        number
    ) AS text
FROM transaction
ORDER BY paid_date, remittance_id;
