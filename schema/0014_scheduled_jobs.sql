-- The scheduler's memory, shared by all bridges: when each job ran last, where, and how it went.
-- A row says "running" until its run is over, or for good when the bridge that ran it died.
CREATE TABLE IF NOT EXISTS scheduled_jobs (
	name           VARCHAR(40)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	period_seconds INT          NOT NULL,
	started_at     DATETIME(3)  NULL,
	finished_at    DATETIME(3)  NULL,
	succeeded_at   DATETIME(3)  NULL COMMENT 'end of the last run that went well',
	duration_ms    BIGINT       NULL,
	outcome        ENUM('running', 'done', 'failed') NULL,
	error          VARCHAR(300) NULL,
	handled        BIGINT       NULL COMMENT 'rows that the last run dealt with',
	runs           BIGINT       NOT NULL DEFAULT 0,
	bridge         VARCHAR(100) NULL COMMENT 'that ran it last: host/process'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
