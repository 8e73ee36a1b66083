-- Who may use the REST API besides `users`. Every change of users, keys and ended sessions takes
-- the next `n` of one locked row: bridges read the rest again when it has moved, and two changes
-- (the last two administrators deleting each other) wait for one another. A user's `ver` is the
-- `n` of its last change, so that one who is made again never gets back an old session.
CREATE TABLE IF NOT EXISTS identity_state (
	id TINYINT NOT NULL DEFAULT 1 PRIMARY KEY CHECK (id = 1),
	n  BIGINT  NOT NULL DEFAULT 0
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT IGNORE INTO identity_state (id, n) SELECT 1, COALESCE(MAX(ver), 0) FROM users;

-- API keys, as SHA-256 alone.
CREATE TABLE IF NOT EXISTS api_keys (
	id           CHAR(20)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	name         VARCHAR(60)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	hash         CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	scopes       VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	created_by   VARCHAR(64)  NOT NULL,
	created_at   DATETIME(3)  NOT NULL,
	expires_at   DATETIME(3)  NULL COMMENT 'NULL: never',
	last_used_at DATETIME(3)  NULL COMMENT 'to the minute',
	UNIQUE KEY api_keys_by_hash (hash),
	UNIQUE KEY api_keys_by_name (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- Sessions that their users ended, until they would have ended by themselves.
CREATE TABLE IF NOT EXISTS ended_sessions (
	jti        CHAR(32)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	n          BIGINT      NOT NULL,
	expires_at DATETIME(3) NOT NULL,
	KEY ended_sessions_by_n (n),
	KEY ended_sessions_by_expiry (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
