-- Up Migration
-- Sessions are stored here when no Redis is configured.
create table sessions (
  id         text primary key,
  data       jsonb not null,
  expires_at timestamptz not null
);

create index sessions_expires_at on sessions (expires_at);

-- Down Migration
drop table sessions;
