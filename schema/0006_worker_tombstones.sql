-- Deleted workers: how other bridges learn of a deletion, and what the plugin is told after a
-- time without it.
CREATE TABLE IF NOT EXISTS worker_tombstones (
	id         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	revision   BIGINT      NOT NULL,
	deleted_at DATETIME(3) NOT NULL,
	KEY worker_tombstones_by_revision (revision)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
