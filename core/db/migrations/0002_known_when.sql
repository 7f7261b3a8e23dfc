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
