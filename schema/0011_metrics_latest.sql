-- Each worker's newest report by time of receipt.
CREATE TABLE IF NOT EXISTS metrics_latest (
	worker_id     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	at            DATETIME(3) NOT NULL,
	seq           BIGINT      NULL,
	received_at   DATETIME(3) NOT NULL,
	memory        DOUBLE      NULL,
	cpu           DOUBLE      NULL,
	rate          DOUBLE      NULL,
	engine_status VARCHAR(32) NULL,
	extra         JSON        NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
