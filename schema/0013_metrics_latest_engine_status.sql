-- The last engine status that came with any report, and when it came: the newest report need not
-- carry one.
ALTER TABLE metrics_latest
	ADD COLUMN IF NOT EXISTS last_engine_status VARCHAR(32) NULL,
	ADD COLUMN IF NOT EXISTS last_engine_status_at DATETIME(3) NULL;
UPDATE metrics_latest SET last_engine_status = engine_status, last_engine_status_at = received_at
	WHERE engine_status IS NOT NULL AND last_engine_status IS NULL;
