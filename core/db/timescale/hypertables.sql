-- Readings, gauges and quarter-hours become hypertables; old chunks are kept in columns.
-- Applied once per database, in one transaction; existing rows are moved, which locks the tables meanwhile.
-- A chunk holds a week of readings (they can come every few seconds) or a month of quarter-hours. Nothing is ever
-- dropped by age here: what may be forgotten, and when, is a decision of the community, not of the storage.

SELECT create_hypertable('reading', by_range('time', INTERVAL '7 days'),
                         create_default_indexes => false, migrate_data => true);
ALTER TABLE reading SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'community, meter',
                         timescaledb.orderby = 'time');
CALL add_columnstore_policy('reading', after => INTERVAL '45 days');

SELECT create_hypertable('measurement', by_range('time', INTERVAL '7 days'),
                         create_default_indexes => false, migrate_data => true);
ALTER TABLE measurement SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'community, device, point',
                             timescaledb.orderby = 'time');
CALL add_columnstore_policy('measurement', after => INTERVAL '14 days');

SELECT create_hypertable('quarter', by_range('start', INTERVAL '30 days'),
                         create_default_indexes => false, migrate_data => true);
ALTER TABLE quarter SET (timescaledb.enable_columnstore, timescaledb.segmentby = 'community, meter',
                         timescaledb.orderby = 'start');
CALL add_columnstore_policy('quarter', after => INTERVAL '120 days');

-- Quarter-hours are derived anew, whole years at a time when a rule changes: no bound on rows taken out of columns.
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0',
                   current_database());
END $$;

CREATE SCHEMA timescale;
