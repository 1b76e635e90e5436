-- Up Migration
-- Of which messages a member wants to be notified.
alter table memberships
  add column notify text not null default 'mentions' check (notify in ('all', 'mentions', 'nothing'));

-- Down Migration
alter table memberships drop column notify;
