-- Up Migration
-- Which account is connected to which replica. A row counts only for a short time after seen_at, so a replica that dies leaves
-- nobody online.
create table presence (
  account_id uuid not null references accounts (id) on delete cascade,
  -- The server process that holds the sockets.
  replica    uuid not null,
  seen_at    timestamptz not null,
  primary key (account_id, replica)
);

-- Down Migration
drop table presence;
