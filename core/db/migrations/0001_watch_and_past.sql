-- What is doubted about readings, and how long a device may be silent. Adds only; nothing stored is touched.
ALTER TABLE device_health
    ADD COLUMN kind text,
    ADD COLUMN silent_after interval,
    ADD COLUMN feeds_settlement boolean NOT NULL DEFAULT false,
    ADD COLUMN watched_since timestamptz,
    ADD COLUMN clock_said timestamptz,
    ADD COLUMN clock_wrong_since timestamptz;
CREATE TABLE silence (
    community   text NOT NULL,
    device      text NOT NULL,
    told_at     timestamptz NOT NULL,
    over_at     timestamptz,
    PRIMARY KEY (community, device, told_at)
);
CREATE UNIQUE INDEX silence_one_open ON silence (community, device) WHERE over_at IS NULL;
CREATE TABLE finding (
    community   text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    code        text NOT NULL,
    meter       text,
    device      text,
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    facts       jsonb NOT NULL,
    opened_at   timestamptz NOT NULL,
    closed_at   timestamptz,
    PRIMARY KEY (community, id),
    CHECK ((meter IS NULL) <> (device IS NULL))
);
CREATE UNIQUE INDEX finding_once ON finding (community, code, coalesce(meter, ''), coalesce(device, ''), since);
CREATE INDEX finding_open ON finding (community, code) WHERE closed_at IS NULL;
CREATE TABLE looked_until (
    community   text PRIMARY KEY,
    known_at    timestamptz NOT NULL
);
CREATE INDEX measurement_serial ON measurement (community, device, time) WHERE quantity = 'serial_number';
CREATE VIEW grafana.devices WITH (security_barrier = true) AS
    SELECT d.community, d.kind, count(*) AS devices, count(*) FILTER (WHERE d.last_seen IS NULL) AS never,
           count(*) FILTER (WHERE d.last_seen < now() - d.silent_after) AS silent
    FROM public.device_health d WHERE d.kind IS NOT NULL GROUP BY 1, 2;
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
-- What has to be derived again although no reading came. Adds only; nothing stored is touched.
CREATE TABLE derive_again (
    community   text NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    meter       text,
    since       timestamptz,
    until       timestamptz,
    PRIMARY KEY (community, id)
);
