-- Each posting points to the rules, documents and readings behind it; those booked before this do not.
ALTER TABLE posting ADD COLUMN evidence jsonb;

-- Months that are final, and their corrections: documents with a number and a seal in one chain per community. Nothing
-- of it can be changed or deleted, by nobody; a final month takes no further run.
CREATE UNIQUE INDEX month_one_final ON month (community, month) WHERE status = 'final';
CREATE FUNCTION month_stays_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM public.month m WHERE (m.community, m.month) = (NEW.community, NEW.month)
               AND m.status = 'final' AND m.run < NEW.run) THEN
        RAISE EXCEPTION 'month % of % is final', NEW.month, NEW.community;
    END IF;
    IF NEW.status = 'final' AND EXISTS (SELECT FROM public.month m
               WHERE (m.community, m.month) = (NEW.community, NEW.month) AND m.run > NEW.run) THEN
        RAISE EXCEPTION 'the final run of month % of % is not its last', NEW.month, NEW.community;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER month_stays_final BEFORE INSERT ON month FOR EACH ROW EXECUTE FUNCTION month_stays_final();
CREATE TABLE sealed (
    community   text NOT NULL,
    sequence    integer NOT NULL CHECK (sequence > 0),  -- 1, 2, 3 ... without a gap
    number      text NOT NULL,               -- of the document, like 2026-0001; without a gap within its year
    month       text NOT NULL,
    run         integer NOT NULL,            -- the final run of the month
    revision    integer NOT NULL CHECK (revision > 0),  -- 1: the final statement; from 2 on: corrections
    sealed_at   timestamptz NOT NULL,
    sealed_by   text NOT NULL,
    known_until timestamptz NOT NULL,        -- newest `known_at` of the readings there were
    previous_sha256 text,                    -- seal of the document before it; null for the first
    seal_sha256 text NOT NULL,
    document    text NOT NULL,               -- statement.json or correction.json, byte for byte
    inputs      jsonb NOT NULL,              -- what it was settled from (settlement/changes.py)
    despite     jsonb NOT NULL DEFAULT '[]', -- gates that an operator went over, who and why
    bundle      bytea NOT NULL,              -- the sealed bundle without any opening, a ZIP archive
    PRIMARY KEY (community, sequence),
    UNIQUE (community, number),
    UNIQUE (community, month, revision),
    UNIQUE (community, seal_sha256),
    UNIQUE NULLS NOT DISTINCT (community, previous_sha256),
    FOREIGN KEY (community, month, run) REFERENCES month,
    CHECK ((sequence = 1) = (previous_sha256 IS NULL))
);
CREATE FUNCTION sealed_is_chained() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.sequence > 1 AND NOT EXISTS (SELECT FROM public.sealed s
            WHERE (s.community, s.sequence, s.seal_sha256) = (NEW.community, NEW.sequence - 1, NEW.previous_sha256)) THEN
        RAISE EXCEPTION 'document % of % is not chained to the one before it', NEW.number, NEW.community;
    END IF;
    IF NEW.revision > 1 AND NOT EXISTS (SELECT FROM public.sealed s WHERE (s.community, s.month, s.revision)
            = (NEW.community, NEW.month, NEW.revision - 1) AND s.sequence < NEW.sequence) THEN
        RAISE EXCEPTION 'document % of % corrects nothing', NEW.number, NEW.community;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER sealed_is_chained AFTER INSERT ON sealed
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sealed_is_chained();
CREATE TRIGGER sealed_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sealed
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
-- Postings of the differences of a correction; those of every transaction sum to zero, as a month's do.
CREATE TABLE correction_posting (
    community   text NOT NULL,
    number      text NOT NULL,
    transaction integer NOT NULL,
    line        integer NOT NULL,
    account     text NOT NULL,
    cents       bigint NOT NULL,
    what        text NOT NULL,
    PRIMARY KEY (community, number, transaction, line),
    FOREIGN KEY (community, number) REFERENCES sealed (community, number)
);
CREATE FUNCTION correction_posting_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(cents) FROM public.correction_posting p
        WHERE (p.community, p.number, p.transaction) = (NEW.community, NEW.number, NEW.transaction)) <> 0 THEN
        RAISE EXCEPTION 'transaction % of % does not sum to zero', NEW.transaction, NEW.number;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER correction_posting_balances AFTER INSERT ON correction_posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION correction_posting_balances();
CREATE TRIGGER correction_posting_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON correction_posting
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
-- What opens the commitments in a sealed bundle: salt and intervals of an entry, of the sun and of the common area. It
-- may be destroyed, once, and when that was stays on record; the bundle is proven without it.
CREATE TABLE opening (
    community   text NOT NULL,
    number      text NOT NULL,
    label       text NOT NULL,               -- party|flat|first day, or 'sun' or 'common'
    opening     bytea,
    destroyed_at timestamptz,
    PRIMARY KEY (community, number, label),
    FOREIGN KEY (community, number) REFERENCES sealed (community, number),
    CHECK ((opening IS NULL) = (destroyed_at IS NOT NULL))
);
CREATE FUNCTION opening_is_only_destroyed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.destroyed_at IS NOT NULL OR NEW.opening IS NOT NULL
            OR (NEW.community, NEW.number, NEW.label) <> (OLD.community, OLD.number, OLD.label) THEN
        RAISE EXCEPTION 'an opening can only be destroyed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER opening_is_only_destroyed BEFORE UPDATE ON opening
    FOR EACH ROW EXECUTE FUNCTION opening_is_only_destroyed();
CREATE TRIGGER opening_append_only BEFORE DELETE OR TRUNCATE ON opening
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
-- Who took a sealed document out of the house, and when.
CREATE TABLE exported (
    community   text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    number      text NOT NULL,
    at          timestamptz NOT NULL,
    person      text NOT NULL,
    what        text NOT NULL,               -- json, pdf, csv, zip
    PRIMARY KEY (community, id),
    FOREIGN KEY (community, number) REFERENCES sealed (community, number)
);
CREATE TRIGGER exported_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON exported
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
-- What a final month would be corrected by if it were today; found every night, replaced by the next night's.
CREATE TABLE correction_candidate (
    community   text NOT NULL,
    month       text NOT NULL,
    found_at    timestamptz NOT NULL,
    document    text NOT NULL,
    PRIMARY KEY (community, month)
);
-- The application's own rights too, although it owns the tables: whoever wants to change a sealed month has to grant
-- them back and drop the triggers. Keys keep UPDATE, because checking a foreign key locks the row it refers to.
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON month, posting, sealed, correction_posting, exported FROM %I, PUBLIC',
                   current_user);
    EXECUTE format('REVOKE DELETE, TRUNCATE ON opening FROM %I, PUBLIC', current_user);
    EXECUTE format('GRANT UPDATE (community) ON month, sealed TO %I', current_user);
END $$;
