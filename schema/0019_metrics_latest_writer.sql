-- Which bridge wrote a worker's latest report, and in which of its batches: the other bridges
-- read what is newer than the batch that they read last.
ALTER TABLE metrics_latest
	ADD COLUMN IF NOT EXISTS writer BIGINT NOT NULL DEFAULT 0,
	ADD COLUMN IF NOT EXISTS batch  BIGINT NOT NULL DEFAULT 0;

-- A report of a worker that does not exist is refused by the foreign key, once and without a
-- question asked for each report.
DELETE l FROM metrics_latest l LEFT JOIN workers w ON w.id = l.worker_id WHERE w.id IS NULL;
ALTER TABLE metrics_latest
	ADD CONSTRAINT FOREIGN KEY IF NOT EXISTS metrics_latest_worker (worker_id)
		REFERENCES workers (id) ON DELETE CASCADE;

-- One row for each bridge that writes reports: `batch` grows with each transaction.
CREATE TABLE IF NOT EXISTS metric_writers (
	writer     BIGINT      NOT NULL PRIMARY KEY,
	batch      BIGINT      NOT NULL,
	written_at DATETIME(3) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
