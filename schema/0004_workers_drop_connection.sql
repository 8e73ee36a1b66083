-- The broker's plugin is the only source of truth for who is connected. An older database still
-- has a second opinion, which would be wrong from the first crash on.
ALTER TABLE workers
	DROP COLUMN IF EXISTS is_connected,
	DROP COLUMN IF EXISTS last_connected_at,
	DROP COLUMN IF EXISTS last_disconnected_at;
