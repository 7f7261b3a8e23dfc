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
