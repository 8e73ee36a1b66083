-- Which request it was; and what every bridge hears, but one has to write: `seen` is a hash of
-- what happened, NULL for all that happens at one bridge alone.
ALTER TABLE token_log
	ADD COLUMN IF NOT EXISTS request_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
	ADD COLUMN IF NOT EXISTS seen BINARY(16) NULL,
	ADD UNIQUE KEY IF NOT EXISTS token_log_by_seen (seen);
