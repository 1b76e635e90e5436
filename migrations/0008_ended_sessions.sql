-- Up Migration
-- Sessions that were signed out in the last days. A server that cannot reach Redis refuses them.
create table ended_sessions (
  id       text primary key,
  ended_at timestamptz not null default now()
);

-- Down Migration
drop table ended_sessions;
