-- The role Grafana signs in with: it sees the views of schema `grafana` (the building, never a flat) and nothing else.
--
-- Whoever may look at a dashboard may send any SQL with this role, so every limit here is one that SQL cannot lift:
-- grants that are missing. Settings (time-out, read-only) are defaults a client may change; they guard against mistakes.
-- Run it as a superuser in the application's database, after `wijkenergie migrate`; running it again changes nothing.
-- It cannot sign in until a deployment gives it a password (deploy/grafana-login.sql).

DO $$
DECLARE
    application name := (SELECT nspowner::regrole::name FROM pg_namespace WHERE nspname = 'grafana');
    "function" regprocedure;
    "view" regclass;
    other name;
BEGIN
    LOCK TABLE pg_authid IN SHARE ROW EXCLUSIVE MODE;  -- roles are the whole server's, whose databases may be prepared at once
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'grafana_ro') THEN
        CREATE ROLE grafana_ro NOLOGIN;
    END IF;
    ALTER ROLE grafana_ro NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT CONNECTION LIMIT 10;
    ALTER ROLE grafana_ro SET search_path = grafana;
    ALTER ROLE grafana_ro SET statement_timeout = '15s';
    ALTER ROLE grafana_ro SET idle_in_transaction_session_timeout = '15s';
    ALTER ROLE grafana_ro SET default_transaction_read_only = on;
    FOR other IN SELECT roleid::regrole::name FROM pg_auth_members WHERE member = 'grafana_ro'::regrole LOOP
        EXECUTE format('REVOKE %I FROM grafana_ro', other);
    END LOOP;

    -- Nothing that everybody has by default: no look into `public`, no temporary objects (with them a function of one's
    -- own could be handed the rows a view filters out).
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC, grafana_ro', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO grafana_ro', current_database());
    EXECUTE format('GRANT ALL ON DATABASE %I TO %I', current_database(), application);
    REVOKE ALL ON SCHEMA public FROM PUBLIC, grafana_ro;
    EXECUTE format('GRANT ALL ON SCHEMA public TO %I', application);
    REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, grafana_ro;

    -- Functions everybody may call that write, or that hold up the application by taking its locks.
    FOR "function" IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
          AND proname ~ '^(lo_creat|lo_create|lo_from_bytea|pg_(try_)?advisory_.*|pg_logical_emit_message|pg_notify)$'
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, grafana_ro', "function");
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', "function", application);
    END LOOP;

    -- Views that a later migration adds.
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA grafana GRANT SELECT ON TABLES TO grafana_ro', application);

    -- A barrier lets no condition of the asker look at a row before the view's own conditions have passed it.
    FOR "view" IN SELECT oid FROM pg_class WHERE relnamespace = 'grafana'::regnamespace AND relkind = 'v' LOOP
        EXECUTE format('ALTER VIEW %s SET (security_barrier = true)', "view");
    END LOOP;
END $$;

-- TimescaleDB's function of this name is in `public`, out of this role's sight, and absent on plain PostgreSQL.
CREATE OR REPLACE FUNCTION grafana.time_bucket(width interval, moment timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT date_bin(width, moment, timestamptz '2000-01-03 00:00+00') $$;

REVOKE ALL ON SCHEMA grafana FROM PUBLIC, grafana_ro;
GRANT USAGE ON SCHEMA grafana TO grafana_ro;
GRANT SELECT ON ALL TABLES IN SCHEMA grafana TO grafana_ro;
