-- The reader sees v1 alone; the writer writes rows and makes partitions, never tables.

GRANT USAGE ON SCHEMA v1 TO candlestream_reader, candlestream_writer, candlestream_airflow;
GRANT SELECT ON ALL TABLES IN SCHEMA v1 TO candlestream_reader, candlestream_writer, candlestream_airflow;

GRANT USAGE ON SCHEMA core TO candlestream_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA core TO candlestream_writer;
REVOKE ALL ON FUNCTION core.ensure_partitions(date, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION core.ensure_partitions(date, date) TO candlestream_writer;

ALTER DEFAULT PRIVILEGES IN SCHEMA v1 GRANT SELECT ON TABLES TO candlestream_reader, candlestream_writer, candlestream_airflow;
ALTER DEFAULT PRIVILEGES IN SCHEMA core GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO candlestream_writer;
