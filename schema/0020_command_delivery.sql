-- Commands that are kept for a worker that is away (`queue`), and those of a batch.
--
-- `kept_for` is the command's worker while it is to be sent at each new session, NULL otherwise:
-- its index holds what is open, however long the history is. `offered_…` is a bridge's claim to
-- send it to that session; `sent_generation` is the session that the plugin says it reached.
ALTER TABLE commands
	ADD COLUMN IF NOT EXISTS queue BOOLEAN NOT NULL DEFAULT FALSE,
	ADD COLUMN IF NOT EXISTS kept_for VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
	ADD COLUMN IF NOT EXISTS offered_generation BIGINT NULL,
	ADD COLUMN IF NOT EXISTS offered_at DATETIME(3) NULL,
	ADD COLUMN IF NOT EXISTS sent_generation BIGINT NULL,
	ADD COLUMN IF NOT EXISTS batch_id CHAR(30) CHARACTER SET ascii COLLATE ascii_bin NULL,
	ADD KEY IF NOT EXISTS commands_kept (kept_for),
	ADD KEY IF NOT EXISTS commands_by_batch (batch_id);

-- One command to many workers. `next_position` is how many of them have got theirs, in the
-- transaction that made it. `owner` is the bridge that works on it, until `owned_until` unless it
-- says so again; `next_at` is when the next one may be sent.
CREATE TABLE IF NOT EXISTS command_batches (
	id             CHAR(30)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	type           VARCHAR(64)  NOT NULL,
	payload        JSON         NOT NULL,
	target         VARCHAR(97)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	filter         JSON         NOT NULL,
	ttl_ms         BIGINT       NOT NULL,
	queue          BOOLEAN      NOT NULL,
	max_per_minute INT          NULL,
	abort_percent  INT          NULL,
	total          INT          NOT NULL,
	state          ENUM('running', 'done', 'aborted', 'cancelled') NOT NULL DEFAULT 'running',
	next_position  INT          NOT NULL DEFAULT 0,
	next_at        DATETIME(3)  NULL,
	owner          VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NULL,
	owned_until    DATETIME(3)  NULL,
	created_by     VARCHAR(64)  NULL,
	address        VARCHAR(64)  NULL,
	request_id     VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NULL,
	created_at     DATETIME(3)  NOT NULL,
	ended_at       DATETIME(3)  NULL,
	KEY command_batches_by_state (state)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS command_batch_workers (
	batch_id  CHAR(30)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	position  INT         NOT NULL,
	worker_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	PRIMARY KEY (batch_id, position),
	CONSTRAINT command_batch_workers_batch FOREIGN KEY (batch_id)
		REFERENCES command_batches (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- What the engine should be doing, as the last start or stop asked for, and the command that
-- did; and the last command that was sent because it was found doing something else.
ALTER TABLE workers
	ADD COLUMN IF NOT EXISTS desired_engine_status ENUM('running', 'stopped') NULL,
	ADD COLUMN IF NOT EXISTS desired_at DATETIME(3) NULL,
	ADD COLUMN IF NOT EXISTS desired_command CHAR(30)
		CHARACTER SET ascii COLLATE ascii_bin NULL,
	ADD COLUMN IF NOT EXISTS reconciled_at DATETIME(3) NULL,
	ADD COLUMN IF NOT EXISTS reconcile_command CHAR(30)
		CHARACTER SET ascii COLLATE ascii_bin NULL,
	ADD KEY IF NOT EXISTS workers_by_desired (desired_at);
