-- Worker records. Nothing here says whether a worker is connected: the broker's plugin knows.
CREATE TABLE IF NOT EXISTS workers (
	id         VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	name       VARCHAR(100) NOT NULL,
	created_at DATETIME(3)  NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
