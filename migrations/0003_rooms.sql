-- Up Migration
create table rooms (
  id         uuid primary key default gen_random_uuid(),
  name       text not null check (char_length(name) between 1 and 60),
  kind       text not null check (kind in ('public', 'private')),
  -- seq of the newest message. Posts take their numbers one after another, under the lock of this row.
  head       bigint not null default 0 check (head >= 0),
  created_by uuid references accounts (id) on delete set null,
  created_at timestamptz not null default now()
);

create unique index rooms_public_name on rooms (lower(name)) where kind = 'public';
create index rooms_created_by on rooms (created_by);

create table memberships (
  room_id    uuid not null references rooms (id) on delete cascade,
  account_id uuid not null references accounts (id) on delete cascade,
  -- seq up to which the member has read.
  read_seq   bigint not null default 0 check (read_seq >= 0),
  joined_at  timestamptz not null default now(),
  primary key (room_id, account_id)
);

create index memberships_account_id on memberships (account_id);

-- Down Migration
drop table memberships;
drop table rooms;
