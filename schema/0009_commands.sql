CREATE TABLE IF NOT EXISTS commands (
	id              CHAR(30)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	worker_id       VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	type            VARCHAR(64)  NOT NULL,
	payload         JSON         NULL,
	target          VARCHAR(97)  CHARACTER SET ascii COLLATE ascii_bin NULL
		COMMENT 'any, all or a client id',
	state           ENUM('queued', 'sent', 'accepted', 'done', 'failed', 'expired', 'cancelled')
	                NOT NULL DEFAULT 'queued',
	created_by      VARCHAR(64)  NULL,
	idempotency_key VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
	created_at      DATETIME(3)  NOT NULL,
	expires_at      DATETIME(3)  NOT NULL,
	sent_at         DATETIME(3)  NULL,
	accepted_at     DATETIME(3)  NULL,
	done_at         DATETIME(3)  NULL,
	failed_at       DATETIME(3)  NULL,
	expired_at      DATETIME(3)  NULL,
	cancelled_at    DATETIME(3)  NULL,
	result          JSON         NULL,
	error           TEXT         NULL,
	UNIQUE KEY commands_by_idempotency_key (worker_id, idempotency_key),
	KEY commands_by_worker (worker_id, created_at, id),
	KEY commands_by_expiry (state, expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
