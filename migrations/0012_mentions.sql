-- Up Migration
-- Whom a message names with @. The server decides it when the message is stored, so a later name changes nothing.
create table mentions (
  account_id uuid not null references accounts (id) on delete cascade,
  room_id    uuid not null,
  seq        bigint not null,
  -- The name as it is written in the text.
  written    text not null,
  -- Named as one of all people of the room.
  everyone   boolean not null default false,
  primary key (account_id, room_id, seq),
  foreign key (room_id, seq) references messages (room_id, seq) on delete cascade
);

create index mentions_message on mentions (room_id, seq);

-- Down Migration
drop table mentions;
