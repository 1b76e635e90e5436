-- Up Migration
create table messages (
  room_id    uuid not null references rooms (id) on delete cascade,
  -- Taken under the lock of the room's row, so it has no gaps and follows the order of commits. A sequence guarantees neither.
  seq        bigint not null check (seq > 0),
  id         uuid not null,
  author_id  uuid not null references accounts (id),
  body       text not null check (char_length(body) <= 4000),
  reply_to   bigint,
  posted_at  timestamptz not null default now(),
  edited_at  timestamptz,
  deleted_at timestamptz,
  primary key (room_id, seq),
  -- The sender chooses the id, so a message that is sent twice is stored once.
  unique (author_id, id),
  foreign key (room_id, reply_to) references messages (room_id, seq),
  check ((body = '') = (deleted_at is not null))
);

create index messages_reply_to on messages (room_id, reply_to) where reply_to is not null;

-- Down Migration
drop table messages;
