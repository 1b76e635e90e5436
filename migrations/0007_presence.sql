-- Up Migration
-- Who is connected where, as a time that expires: nobody has to clean up after a process that died.
create table presence (
  account_id uuid not null references accounts (id) on delete cascade,
  -- The server process that holds the sockets.
  replica    uuid not null,
  seen_at    timestamptz not null,
  primary key (account_id, replica)
);

-- Down Migration
drop table presence;
