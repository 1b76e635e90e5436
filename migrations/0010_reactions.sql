-- Up Migration
-- Each change of a row gives its message the room's next version.
create table reactions (
  room_id    uuid not null,
  seq        bigint not null,
  account_id uuid not null references accounts (id) on delete cascade,
  emoji      text not null check (char_length(emoji) <= 16),
  reacted_at timestamptz not null default now(),
  primary key (room_id, seq, emoji, account_id),
  foreign key (room_id, seq) references messages (room_id, seq) on delete cascade
);

create index reactions_account_id on reactions (account_id);

-- Down Migration
drop table reactions;
