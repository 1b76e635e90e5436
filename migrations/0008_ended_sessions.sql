-- Up Migration
-- Sessions that were signed out lately. Redis has forgotten them; this is for a process that cannot ask it at the moment.
create table ended_sessions (
  id       text primary key,
  ended_at timestamptz not null default now()
);

-- Down Migration
drop table ended_sessions;
