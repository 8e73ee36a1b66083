CREATE TABLE IF NOT EXISTS worker_tags (
	worker_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	position  TINYINT     NOT NULL,
	tag       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	PRIMARY KEY (worker_id, position),
	UNIQUE KEY worker_tags_by_tag (tag, worker_id),
	FOREIGN KEY (worker_id) REFERENCES workers (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
