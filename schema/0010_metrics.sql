-- Metric reports. A report with `seq` is stored once however often it is sent: NULLs are
-- distinct in a unique key, so it holds for those alone.
CREATE TABLE IF NOT EXISTS metrics (
	id            BIGINT      NOT NULL AUTO_INCREMENT PRIMARY KEY,
	worker_id     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	at            DATETIME(3) NOT NULL,
	seq           BIGINT      NULL,
	received_at   DATETIME(3) NOT NULL,
	memory        DOUBLE      NULL,
	cpu           DOUBLE      NULL,
	rate          DOUBLE      NULL,
	engine_status VARCHAR(32) NULL,
	extra         JSON        NULL,
	UNIQUE KEY metrics_by_worker (worker_id, at, seq),
	KEY metrics_by_receipt (received_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
