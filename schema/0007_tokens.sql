-- Worker tokens, as SHA-256 alone. A worker has at most one current, one pending and one
-- previous token; ended ones stay so that a login with one can be told from a wrong one.
CREATE TABLE IF NOT EXISTS tokens (
	id         BIGINT      NOT NULL AUTO_INCREMENT PRIMARY KEY,
	worker_id  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	hash       CHAR(64)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	role       ENUM('current', 'pending', 'previous', 'ended') NOT NULL,
	created_at DATETIME(3) NOT NULL,
	expires_at DATETIME(3) NULL COMMENT 'NULL: never',
	ended_at   DATETIME(3) NULL,
	UNIQUE KEY tokens_by_hash (hash),
	KEY tokens_by_worker (worker_id, role),
	KEY tokens_by_expiry (role, expires_at),
	FOREIGN KEY (worker_id) REFERENCES workers (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
