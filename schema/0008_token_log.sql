-- The audit trail. It outlives the worker, so there is no foreign key.
CREATE TABLE IF NOT EXISTS token_log (
	id        BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
	worker_id VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NULL,
	at        DATETIME(3)  NOT NULL,
	event     VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	code      VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NULL,
	actor     VARCHAR(64)  NULL COMMENT 'dashboard user; NULL: a worker or the system',
	address   VARCHAR(64)  NULL,
	detail    JSON         NULL,
	count     INT          NOT NULL DEFAULT 1,
	KEY token_log_by_worker (worker_id, at),
	KEY token_log_by_time (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
