-- The one locked row from which every change of a worker takes its revision. `epoch` is a random
-- id of this database; the bridge writes the row when it has applied the migrations.
CREATE TABLE IF NOT EXISTS directory_state (
	id    TINYINT  NOT NULL DEFAULT 1 PRIMARY KEY CHECK (id = 1),
	epoch CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	n     BIGINT   NOT NULL DEFAULT 0
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
