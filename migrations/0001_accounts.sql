-- Up Migration
create table accounts (
  id            uuid primary key default gen_random_uuid(),
  name          text not null check (char_length(name) between 1 and 60),
  email         text unique check (email = lower(email)),
  password_hash text,
  avatar_key    text unique,
  -- Each session stores the epoch in which it began. A higher epoch ends all sessions of the account.
  session_epoch integer not null default 0,
  created_at    timestamptz not null default now(),
  -- People have both, bots have neither.
  check ((email is null) = (password_hash is null))
);

-- The bot that greets newcomers.
insert into accounts (id, name) values ('00000000-0000-4000-8000-00000000b075', 'Greeter');

-- Down Migration
drop table accounts;
