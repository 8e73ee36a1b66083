-- What a renewal leaves with a token: when it was sent to the worker, since when nobody waits for
-- an acknowledgement any more, when it became the current one; and whether the end of its time is
-- in the audit trail.
ALTER TABLE tokens
	ADD COLUMN IF NOT EXISTS sent_at      DATETIME(3) NULL,
	ADD COLUMN IF NOT EXISTS given_up_at  DATETIME(3) NULL,
	ADD COLUMN IF NOT EXISTS confirmed_at DATETIME(3) NULL,
	ADD COLUMN IF NOT EXISTS expiry_noted_at DATETIME(3) NULL,
	ADD INDEX IF NOT EXISTS tokens_by_noted_expiry (role, expiry_noted_at, expires_at),
	ADD INDEX IF NOT EXISTS tokens_by_role_and_age (role, created_at);
