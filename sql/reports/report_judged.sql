-- Each denied line with each rule that speaks to its reason and looks at it, and why the rule could not judge it, if
-- so. The engine fills it: what a rule needs is in its YAML.
CREATE OR REPLACE TEMP TABLE report_judged (
    rule VARCHAR NOT NULL,
    claim_id VARCHAR NOT NULL,
    claim_line_number INTEGER NOT NULL,
    reason VARCHAR -- null: it could be judged
)
