-- Metric reports by the day at which they were measured: a day that is too old goes as a whole,
-- and no statement ever deletes rows. One B-tree a day, in the order in which history is read.
--
-- `ref` tells reports of one worker and one millisecond apart: the worker's own `seq`, or, where
-- it gave none, a number below 0 that is the bridge's, so that a batch which is written again
-- after its outcome was unknown is still stored once.
--
-- The scheduled job splits `future`, which takes whatever no day has been made for yet.
EXECUTE IMMEDIATE CONCAT('CREATE TABLE IF NOT EXISTS metrics_by_day (
	worker_id     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	at            DATETIME(3) NOT NULL,
	ref           BIGINT      NOT NULL,
	seq           BIGINT      AS (IF(ref >= 0, ref, NULL)) VIRTUAL,
	received_at   DATETIME(3) NOT NULL,
	memory        DOUBLE      NULL,
	cpu           DOUBLE      NULL,
	rate          DOUBLE      NULL,
	engine_status VARCHAR(32) NULL,
	extra         JSON        NULL,
	PRIMARY KEY (worker_id, at, ref)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
PARTITION BY RANGE COLUMNS (at) (
	PARTITION d', DATE_FORMAT(UTC_DATE(), '%Y%m%d'), ' VALUES LESS THAN (''',
		UTC_DATE() + INTERVAL 1 DAY, '''),
	PARTITION future VALUES LESS THAN (MAXVALUE))');

-- Each step may be the first one of a second attempt.
SET @is_old = (SELECT COUNT(*) FROM information_schema.columns
	WHERE table_schema = DATABASE() AND table_name = 'metrics' AND column_name = 'id');
EXECUTE IMMEDIATE IF(@is_old,
	'RENAME TABLE metrics TO metrics_before_days, metrics_by_day TO metrics', 'DO 0');
SET @is_left = (SELECT COUNT(*) FROM information_schema.tables
	WHERE table_schema = DATABASE() AND table_name = 'metrics_before_days');
EXECUTE IMMEDIATE IF(@is_left,
	'INSERT IGNORE INTO metrics (worker_id, at, ref, received_at, memory, cpu, rate,
		engine_status, extra)
	SELECT worker_id, at, COALESCE(seq, -id), received_at, memory, cpu, rate, engine_status,
		extra FROM metrics_before_days', 'DO 0');
DROP TABLE IF EXISTS metrics_before_days;
DROP TABLE IF EXISTS metrics_by_day;
