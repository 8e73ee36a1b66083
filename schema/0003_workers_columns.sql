-- Brings a new workers table, and one that an older installation made, to the same shape.
-- Columns of an older table that we do not know stay, but no longer demand a value.
SET @saved_foreign_key_checks = @@foreign_key_checks, foreign_key_checks = 0;

ALTER TABLE workers
	CONVERT TO CHARACTER SET utf8mb4;
ALTER TABLE workers
	ADD COLUMN IF NOT EXISTS name VARCHAR(100) NOT NULL DEFAULT '',
	ADD COLUMN IF NOT EXISTS status VARCHAR(32) NOT NULL DEFAULT 'active',
	ADD COLUMN IF NOT EXISTS revision BIGINT NOT NULL DEFAULT 0,
	ADD COLUMN IF NOT EXISTS renewal_failure_reason VARCHAR(500) NULL,
	ADD COLUMN IF NOT EXISTS renewal_failure_at DATETIME(3) NULL,
	ADD COLUMN IF NOT EXISTS created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	ADD COLUMN IF NOT EXISTS updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3);

-- A status of an older installation that we do not know meant "may connect"; what it said about
-- the connection is no longer the database's to say.
ALTER TABLE workers MODIFY status VARCHAR(32) NULL;
UPDATE workers SET status = 'active'
	WHERE status IS NULL OR status NOT IN ('active', 'update_required', 'revoked');
UPDATE workers SET name = LEFT(COALESCE(name, id), 100)
	WHERE name IS NULL OR CHAR_LENGTH(name) > 100;
UPDATE workers SET created_at = UTC_TIMESTAMP(3) WHERE created_at IS NULL;
ALTER TABLE workers
	MODIFY id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	MODIFY name VARCHAR(100) NOT NULL,
	MODIFY status ENUM('active', 'update_required', 'revoked') NOT NULL DEFAULT 'active',
	MODIFY renewal_failure_reason VARCHAR(500) NULL,
	MODIFY renewal_failure_at DATETIME(3) NULL,
	MODIFY created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	MODIFY updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
		ON UPDATE CURRENT_TIMESTAMP(3),
	ADD INDEX IF NOT EXISTS workers_by_revision (revision);

BEGIN NOT ATOMIC
	FOR c IN (SELECT column_name AS name, column_type AS type FROM information_schema.columns
	          WHERE table_schema = DATABASE() AND table_name = 'workers'
	            AND is_nullable = 'NO' AND column_default IS NULL AND extra = ''
	            AND column_name NOT IN ('id', 'name'))
	DO
		EXECUTE IMMEDIATE CONCAT('ALTER TABLE workers MODIFY `', c.name, '` ', c.type, ' NULL');
	END FOR;
END;

SET foreign_key_checks = @saved_foreign_key_checks;
