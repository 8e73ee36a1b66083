-- Brings a new workers table, and one that an older installation made, to the same shape.
-- Columns of an older table that we do not know stay, but no longer demand a value; foreign keys
-- of other tables to it go, since they would tie the id to its old type and forbid deletions.
BEGIN NOT ATOMIC
	FOR k IN (SELECT table_name AS tab, constraint_name AS name
	          FROM information_schema.referential_constraints
	          WHERE constraint_schema = DATABASE() AND referenced_table_name = 'workers'
	            AND table_name NOT IN ('worker_tags', 'tokens'))
	DO
		EXECUTE IMMEDIATE CONCAT('ALTER TABLE `', k.tab, '` DROP FOREIGN KEY `', k.name, '`');
	END FOR;
END;

ALTER TABLE workers
	DEFAULT CHARACTER SET utf8mb4,
	ADD COLUMN IF NOT EXISTS name VARCHAR(100) NOT NULL DEFAULT '',
	ADD COLUMN IF NOT EXISTS status VARCHAR(32) NOT NULL DEFAULT 'active',
	ADD COLUMN IF NOT EXISTS revision BIGINT NOT NULL DEFAULT 0,
	ADD COLUMN IF NOT EXISTS renewal_failure_reason VARCHAR(500) NULL,
	ADD COLUMN IF NOT EXISTS renewal_failure_at DATETIME(3) NULL,
	ADD COLUMN IF NOT EXISTS created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	ADD COLUMN IF NOT EXISTS updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3);

-- A status of an older installation that we do not know meant "may connect"; what it said about
-- the connection is no longer the database's to say.
ALTER TABLE workers
	MODIFY status VARCHAR(255) CHARACTER SET utf8mb4 NULL,
	MODIFY created_at DATETIME(3) NULL,
	MODIFY updated_at DATETIME(3) NULL;
UPDATE workers SET
	status = IF(status IN ('active', 'update_required', 'revoked'), status, 'active'),
	name = LEFT(COALESCE(NULLIF(name, ''), id), 100),
	renewal_failure_reason = LEFT(renewal_failure_reason, 500),
	created_at = COALESCE(created_at, UTC_TIMESTAMP(3)),
	updated_at = COALESCE(updated_at, UTC_TIMESTAMP(3));
ALTER TABLE workers
	MODIFY id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	MODIFY name VARCHAR(100) CHARACTER SET utf8mb4 NOT NULL,
	MODIFY status ENUM('active', 'update_required', 'revoked')
		CHARACTER SET utf8mb4 NOT NULL DEFAULT 'active',
	MODIFY revision BIGINT NOT NULL DEFAULT 0,
	MODIFY renewal_failure_reason VARCHAR(500) CHARACTER SET utf8mb4 NULL,
	MODIFY renewal_failure_at DATETIME(3) NULL,
	MODIFY created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	MODIFY updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
		ON UPDATE CURRENT_TIMESTAMP(3),
	ADD INDEX IF NOT EXISTS workers_by_revision (revision);

BEGIN NOT ATOMIC
	FOR c IN (SELECT column_name AS name, column_type AS type, character_set_name AS charset,
	                 collation_name AS coll
	          FROM information_schema.columns
	          WHERE table_schema = DATABASE() AND table_name = 'workers'
	            AND is_nullable = 'NO' AND column_default IS NULL AND extra = ''
	            AND column_name NOT IN ('id', 'name'))
	DO
		EXECUTE IMMEDIATE CONCAT('ALTER TABLE workers MODIFY `', c.name, '` ', c.type,
			IF(c.charset IS NULL, '', CONCAT(' CHARACTER SET ', c.charset, ' COLLATE ', c.coll)),
			' NULL');
	END FOR;
END;
