-- The whole schema as it is today. Works on plain PostgreSQL; core/db/timescale adds to it where the extension is.
-- `community` leads every key. Times are UTC. A raw reading is never changed; everything after it can be recomputed.

-- What the community file said, version by version (configuration only; events are in `event`).
CREATE TABLE community (
    community   text PRIMARY KEY,
    name        text NOT NULL,
    timezone    text NOT NULL,
    config      json NOT NULL,               -- the file's tree of text without its events, in the file's order
    applied_at  timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE community_version (
    community   text NOT NULL,
    applied_at  timestamptz NOT NULL,
    config      json NOT NULL,
    PRIMARY KEY (community, applied_at)
);

-- Households, replacements, deliveries, counts, opening, costs, advances, edits, bags, work: append-only.
CREATE TABLE event (
    community   text NOT NULL,
    kind        text NOT NULL,
    key         text NOT NULL,               -- natural key within the kind, so that an import can be repeated
    body        jsonb NOT NULL,              -- tree of text, as in the community file
    recorded_at timestamptz NOT NULL DEFAULT now(),
    author      text NOT NULL,
    PRIMARY KEY (community, kind, key)
);

-- Raw readings, in the meter's own unit.
CREATE TABLE batch (
    community   text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    source      text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    undone_at   timestamptz,
    PRIMARY KEY (community, id)
);
CREATE TABLE reading (
    community   text NOT NULL,
    meter       text NOT NULL,
    time        timestamptz NOT NULL,
    value       numeric NOT NULL,
    known_at    timestamptz NOT NULL DEFAULT now(),
    batch       bigint,
    PRIMARY KEY (community, meter, time)
);
CREATE INDEX reading_known ON reading (community, known_at);
CREATE INDEX reading_batch ON reading (community, batch) WHERE batch IS NOT NULL;

-- A second value for the same meter and time: the first stays, this one is kept for a person to look at.
CREATE TABLE reading_conflict (
    community   text NOT NULL,
    meter       text NOT NULL,
    time        timestamptz NOT NULL,
    value       numeric NOT NULL,
    known_at    timestamptz NOT NULL DEFAULT now(),
    source      text NOT NULL,
    PRIMARY KEY (community, meter, time, value)
);

-- Gauges that feed no meter: power, temperatures, state.
CREATE TABLE measurement (
    community   text NOT NULL,
    device      text NOT NULL,
    point       text NOT NULL,
    time        timestamptz NOT NULL,
    quantity    text NOT NULL,
    value       numeric,
    text        text,
    PRIMARY KEY (community, device, point, time)
);
CREATE INDEX measurement_serial ON measurement (community, device, time) WHERE quantity = 'serial_number';

CREATE TABLE dead_letter (
    community   text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    received_at timestamptz NOT NULL,
    source      text NOT NULL,
    payload     bytea NOT NULL,
    reason      text NOT NULL,
    PRIMARY KEY (community, id)
);

CREATE TABLE device_health (
    community   text NOT NULL,
    device      text NOT NULL,
    last_seen   timestamptz,
    last_try    timestamptz,
    last_error  text,
    errors      bigint NOT NULL DEFAULT 0,
    readings    bigint NOT NULL DEFAULT 0,
    kind        text,                        -- of its profile; this and the next three are written at a collector's start
    silent_after interval,                   -- how long it may be silent
    feeds_settlement boolean NOT NULL DEFAULT false,
    watched_since timestamptz,               -- start of the collector that began to watch it
    clock_said  timestamptz,                 -- the wrong time it gave, null once its clock is right again
    clock_wrong_since timestamptz,
    PRIMARY KEY (community, device)
);
-- Silences that people were told of; device '' stands for all devices at once, that is for the collector.
CREATE TABLE silence (
    community   text NOT NULL,
    device      text NOT NULL,
    told_at     timestamptz NOT NULL,
    over_at     timestamptz,
    PRIMARY KEY (community, device, told_at)
);
CREATE UNIQUE INDEX silence_one_open ON silence (community, device) WHERE over_at IS NULL;

-- What is doubted about a meter or a device before anything is settled; the raw reading stays as it is.
CREATE TABLE finding (
    community   text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    code        text NOT NULL,
    meter       text,                        -- one of the two
    device      text,
    since       timestamptz NOT NULL,        -- what it is about: the first and the last instant
    until       timestamptz NOT NULL,
    facts       jsonb NOT NULL,              -- the blanks of the sentence (settlement/watch/sentences.py)
    opened_at   timestamptz NOT NULL,
    closed_at   timestamptz,                 -- the reason is gone, or it explained itself
    PRIMARY KEY (community, id),
    CHECK ((meter IS NULL) <> (device IS NULL))
);
CREATE UNIQUE INDEX finding_once ON finding (community, code, coalesce(meter, ''), coalesce(device, ''), since);
CREATE INDEX finding_open ON finding (community, code) WHERE closed_at IS NULL;
-- Up to which `known_at` readings were looked at, per community.
CREATE TABLE looked_until (
    community   text PRIMARY KEY,
    known_at    timestamptz NOT NULL
);

-- Energy per meter and settlement interval [mWh, or millionths of the unit]; null energy means missing.
CREATE TABLE quarter (
    community   text NOT NULL,
    meter       text NOT NULL,
    start       timestamptz NOT NULL,
    energy      bigint,
    quality     text NOT NULL CHECK (quality IN ('measured', 'validated', 'estimated', 'edited', 'missing')),
    method      text,
    known_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (community, meter, start),
    CHECK ((energy IS NULL) = (quality = 'missing'))
);
-- What a quarter-hour said before it was known better: kept by the database itself, so that nothing can forget it.
CREATE TABLE quarter_past (
    community     text NOT NULL,
    meter         text NOT NULL,
    start         timestamptz NOT NULL,
    energy        bigint,
    quality       text NOT NULL,
    method        text,
    known_at      timestamptz NOT NULL,
    superseded_at timestamptz NOT NULL,
    PRIMARY KEY (community, meter, start, known_at)
);
CREATE FUNCTION quarter_keeps_its_past() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.quarter_past (community, meter, start, energy, quality, method, known_at, superseded_at)
    VALUES (OLD.community, OLD.meter, OLD.start, OLD.energy, OLD.quality, OLD.method, OLD.known_at, NEW.known_at)
    ON CONFLICT DO NOTHING;
    RETURN NEW;
END $$;
CREATE TRIGGER quarter_keeps_its_past BEFORE UPDATE ON quarter
    FOR EACH ROW EXECUTE FUNCTION quarter_keeps_its_past();
-- What was known of every quarter-hour at an instant.
CREATE FUNCTION quarter_known(moment timestamptz)
RETURNS TABLE (community text, meter text, start timestamptz, energy bigint, quality text, method text,
               known_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT q.community, q.meter, q.start, q.energy, q.quality, q.method, q.known_at
    FROM public.quarter q WHERE q.known_at <= moment
    UNION ALL
    SELECT p.community, p.meter, p.start, p.energy, p.quality, p.method, p.known_at
    FROM public.quarter_past p WHERE p.known_at <= moment AND p.superseded_at > moment
$$;
-- What each meter measures, and the sun each flat was given per interval (pages; the statement recomputes).
CREATE TABLE meter (
    community   text NOT NULL,
    meter       text NOT NULL,
    measures    text NOT NULL,
    unit        text NOT NULL,
    flat        text,
    common      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (community, meter)
);
CREATE TABLE shared_quarter (
    community   text NOT NULL,
    flat        text NOT NULL,               -- 'common' for the common area
    start       timestamptz NOT NULL,
    consumed    bigint,                      -- mWh
    shared      bigint NOT NULL,             -- mWh
    quality     text NOT NULL,
    PRIMARY KEY (community, flat, start)
);
-- Up to where the derived rows are known, per community: readings known later than this are still to be worked in.
CREATE TABLE derived_until (
    community   text PRIMARY KEY,
    known_at    timestamptz NOT NULL
);
-- What has to be derived again although no reading came: a reading was set aside or added by hand, an import taken back,
-- a meter's swap declared; without a meter it is everything, after a change of rules.
CREATE TABLE derive_again (
    community   text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    meter       text,
    since       timestamptz,
    until       timestamptz,
    PRIMARY KEY (community, id)
);

CREATE VIEW energy_hour AS
    SELECT community, meter, date_bin('1 hour', start, timestamptz '2000-01-01 00:00+00') AS bucket,
           sum(energy) AS energy, count(*) AS intervals, count(energy) AS known
    FROM quarter GROUP BY 1, 2, 3;
CREATE VIEW energy_day AS
    SELECT q.community, q.meter, date_trunc('day', q.start, c.timezone) AS bucket,
           sum(q.energy) AS energy, count(*) AS intervals, count(q.energy) AS known
    FROM quarter q JOIN community c USING (community) GROUP BY 1, 2, 3;
CREATE VIEW energy_month AS
    SELECT q.community, q.meter, date_trunc('month', q.start, c.timezone) AS bucket,
           sum(q.energy) AS energy, count(*) AS intervals, count(q.energy) AS known
    FROM quarter q JOIN community c USING (community) GROUP BY 1, 2, 3;

-- A settled month. Every computation whose outcome differs is a new run; the newest run counts. (The document's own
-- revision, which only corrections raise, is inside the statement.)
CREATE TABLE month (
    community   text NOT NULL,
    month       text NOT NULL CHECK (month ~ '^\d{4}-\d\d$'),
    run         integer NOT NULL CHECK (run > 0),
    status      text NOT NULL CHECK (status IN ('provisional', 'final')),
    input_sha256  text NOT NULL,
    result_sha256 text NOT NULL,
    statement   text NOT NULL,               -- statement.json, byte for byte
    settled_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (community, month, run)
);
-- Double entry, whole cents, append-only; the postings of every transaction sum to zero (checked at commit).
CREATE TABLE posting (
    community   text NOT NULL,
    month       text NOT NULL,
    run         integer NOT NULL,
    transaction integer NOT NULL,
    line        integer NOT NULL,
    account     text NOT NULL,
    cents       bigint NOT NULL,
    what        text NOT NULL,
    evidence    jsonb,
    PRIMARY KEY (community, month, run, transaction, line),
    FOREIGN KEY (community, month, run) REFERENCES month
);
CREATE FUNCTION posting_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(cents) FROM public.posting p
        WHERE (p.community, p.month, p.run, p.transaction)
            = (NEW.community, NEW.month, NEW.run, NEW.transaction)) <> 0 THEN
        RAISE EXCEPTION 'transaction % of % run % does not sum to zero', NEW.transaction, NEW.month, NEW.run;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER posting_balances AFTER INSERT ON posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION posting_balances();
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON posting
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER month_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON month
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- People. Personal data lives here only, never in the community file.
CREATE TABLE person (
    community   text NOT NULL,
    id          text NOT NULL,
    name        text NOT NULL DEFAULT '',
    email       text,
    language    text NOT NULL DEFAULT 'nl',
    household   text,                        -- null for people who are no residents
    roles       text[] NOT NULL DEFAULT '{}' CHECK (roles <@ ARRAY['resident', 'volunteer', 'corporation', 'operator']),
    PRIMARY KEY (community, id)
);
CREATE TABLE sign_in (
    token_sha256 bytea PRIMARY KEY,          -- one-time links
    community   text NOT NULL,
    person      text NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    FOREIGN KEY (community, person) REFERENCES person ON DELETE CASCADE
);
CREATE TABLE session (
    token_sha256 bytea PRIMARY KEY,
    community   text NOT NULL,
    person      text NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    FOREIGN KEY (community, person) REFERENCES person ON DELETE CASCADE
);

-- Work that residents do, and every step of it.
CREATE TABLE task (
    community   text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    kind        text NOT NULL,               -- id of the task in the community file
    opened_at   timestamptz NOT NULL,
    due_at      timestamptz,
    state       text NOT NULL CHECK (state IN ('open', 'claimed', 'done', 'cancelled')),
    person      text,
    claimed_at  timestamptz,
    done_at     timestamptz,
    bags        integer CHECK (bags >= 0),
    PRIMARY KEY (community, id)
);
CREATE UNIQUE INDEX task_one_open ON task (community, kind) WHERE state IN ('open', 'claimed');
CREATE TABLE task_log (
    community   text NOT NULL,
    task        bigint NOT NULL,
    at          timestamptz NOT NULL,
    person      text,
    what        text NOT NULL,
    FOREIGN KEY (community, task) REFERENCES task
);
CREATE INDEX task_log_task ON task_log (community, task, at);

-- Messages that leave the house: written with what caused them, sent by the worker, each at most once per key.
CREATE TABLE message (
    community   text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    key         text NOT NULL,               -- one message per key and person
    person      text,                        -- null: to the addresses of WIJKENERGIE_NOTIFY_URLS
    kind        text NOT NULL,
    subject     text NOT NULL,
    body        text NOT NULL,
    created_at  timestamptz NOT NULL,
    sent_at     timestamptz,
    attempts    integer NOT NULL DEFAULT 0,
    last_error  text,
    next_try    timestamptz NOT NULL,
    PRIMARY KEY (community, id)
);
CREATE UNIQUE INDEX message_key ON message (community, key, coalesce(person, ''));

-- What Grafana may see: the building, never a flat. The role (dashboards/role.sql) has USAGE on this schema and nothing
-- else. A sum over flats is there only while at least ten of their meters are known in it: below that it says too much
-- about one of them. The barriers keep a viewer's own conditions from rows that a view leaves out.
CREATE SCHEMA grafana;
CREATE VIEW grafana.building_quarter WITH (security_barrier = true) AS
    SELECT q.community, q.start AS time,
           sum(q.energy) FILTER (WHERE m.measures = 'solar_generation') / 1000000.0 AS solar_kwh,
           CASE WHEN count(q.energy) FILTER (WHERE m.measures = 'electricity' AND m.flat IS NOT NULL) >= 10
                THEN sum(q.energy) FILTER (WHERE m.measures = 'electricity') / 1000000.0 END AS consumed_kwh,
           sum(q.energy) FILTER (WHERE m.measures = 'grid_import') / 1000000.0 AS import_kwh,
           sum(q.energy) FILTER (WHERE m.measures = 'grid_export') / 1000000.0 AS export_kwh,
           sum(q.energy) FILTER (WHERE m.measures = 'heat_produced') / 1000000.0 AS heat_produced_kwh,
           CASE WHEN count(q.energy) FILTER (WHERE m.measures = 'heat' AND m.unit <> 'units') >= 10
                THEN sum(q.energy) FILTER (WHERE m.measures = 'heat' AND m.unit <> 'units') / 1000000.0
           END AS heat_used_kwh
    FROM public.quarter q JOIN public.meter m USING (community, meter) GROUP BY 1, 2;
CREATE VIEW grafana.building_day WITH (security_barrier = true) AS
    SELECT e.community, e.bucket AS time,
           sum(e.energy) FILTER (WHERE m.measures = 'solar_generation') / 1000000.0 AS solar_kwh,
           CASE WHEN count(e.energy) FILTER (WHERE m.measures = 'electricity' AND m.flat IS NOT NULL) >= 10
                THEN sum(e.energy) FILTER (WHERE m.measures = 'electricity') / 1000000.0 END AS consumed_kwh,
           sum(e.energy) FILTER (WHERE m.measures = 'grid_import') / 1000000.0 AS import_kwh,
           sum(e.energy) FILTER (WHERE m.measures = 'grid_export') / 1000000.0 AS export_kwh,
           sum(e.energy) FILTER (WHERE m.measures = 'heat_produced') / 1000000.0 AS heat_produced_kwh,
           CASE WHEN count(e.energy) FILTER (WHERE m.measures = 'heat' AND m.unit <> 'units') >= 10
                THEN sum(e.energy) FILTER (WHERE m.measures = 'heat' AND m.unit <> 'units') / 1000000.0
           END AS heat_used_kwh
    FROM public.energy_day e JOIN public.meter m USING (community, meter) GROUP BY 1, 2;
CREATE VIEW grafana.pellet_stock WITH (security_barrier = true) AS
    SELECT r.community, r.time, r.value AS kg
    FROM public.reading r JOIN public.meter m USING (community, meter) WHERE m.measures = 'pellet_stock';
-- Per kind of meter: the newest reading, that of the meter that is silent longest, and meters that never spoke.
CREATE VIEW grafana.freshness WITH (security_barrier = true) AS
    SELECT m.community, m.measures, max(r.newest) AS newest, min(r.newest) AS stalest,
           count(*) AS meters, count(*) - count(r.newest) AS never
    FROM public.meter m
    LEFT JOIN LATERAL (SELECT time AS newest FROM public.reading r
                       WHERE (r.community, r.meter) = (m.community, m.meter) ORDER BY time DESC LIMIT 1) r ON true
    GROUP BY 1, 2;
-- Per kind of device: how many there are, and how many are silent. At night inverters sleep, and count as silent.
CREATE VIEW grafana.devices WITH (security_barrier = true) AS
    SELECT d.community, d.kind, count(*) AS devices, count(*) FILTER (WHERE d.last_seen IS NULL) AS never,
           count(*) FILTER (WHERE d.last_seen < now() - d.silent_after) AS silent
    FROM public.device_health d WHERE d.kind IS NOT NULL GROUP BY 1, 2;
