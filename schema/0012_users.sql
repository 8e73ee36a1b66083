-- Dashboard users. `ver` rises when password or role change, which ends older sessions.
CREATE TABLE IF NOT EXISTS users (
	name             VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	role             ENUM('viewer', 'admin') NOT NULL,
	password_hash    VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	ver              BIGINT       NOT NULL DEFAULT 1,
	password_initial BOOLEAN      NOT NULL DEFAULT FALSE,
	created_at       DATETIME(3)  NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
