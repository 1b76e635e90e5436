-- Written by `npm run docs`: the whole schema, as the migrations leave it. The reasons are in migrations/.

create table accounts (
  id            uuid not null default gen_random_uuid(),
  name          text not null,
  email         text,
  password_hash text,
  avatar_key    text,
  session_epoch integer not null default 0,
  created_at    timestamp with time zone not null default now(),
  constraint accounts_pkey primary key (id),
  constraint accounts_avatar_key_key unique (avatar_key),
  constraint accounts_email_key unique (email),
  constraint accounts_check check ((email is null) = (password_hash is null)),
  constraint accounts_email_check check (email = lower(email)),
  constraint accounts_name_check check (char_length(name) >= 1 and char_length(name) <= 60)
);

create table sessions (
  id         text not null,
  data       jsonb not null,
  expires_at timestamp with time zone not null,
  constraint sessions_pkey primary key (id)
);
create index sessions_expires_at on sessions using btree (expires_at);

create table rooms (
  id          uuid not null default gen_random_uuid(),
  name        text,
  kind        text not null,
  head        bigint not null default 0,
  created_by  uuid,
  created_at  timestamp with time zone not null default now(),
  version     bigint not null default 0,
  people      uuid[],
  topic       text not null default ''::text,
  archived_at timestamp with time zone,
  constraint rooms_pkey primary key (id),
  constraint rooms_people_key unique (people),
  constraint rooms_created_by_fkey foreign key (created_by) references accounts(id) on delete set null,
  constraint rooms_direct_check check ((kind = 'direct'::text) = (name is null) and (kind = 'direct'::text) = (people is not null)),
  constraint rooms_head_check check (head >= 0),
  constraint rooms_kind_check check (kind = any (array['public'::text, 'private'::text, 'direct'::text])),
  constraint rooms_name_check check (char_length(name) >= 1 and char_length(name) <= 60),
  constraint rooms_topic_check check (char_length(topic) <= 250)
);
create unique index rooms_public_name on rooms using btree (lower(name)) where kind = 'public'::text;
create index rooms_created_by on rooms using btree (created_by);

create table memberships (
  room_id    uuid not null,
  account_id uuid not null,
  read_seq   bigint not null default 0,
  joined_at  timestamp with time zone not null default now(),
  notify     text not null default 'mentions'::text,
  constraint memberships_pkey primary key (room_id, account_id),
  constraint memberships_account_id_fkey foreign key (account_id) references accounts(id) on delete cascade,
  constraint memberships_room_id_fkey foreign key (room_id) references rooms(id) on delete cascade,
  constraint memberships_notify_check check (notify = any (array['all'::text, 'mentions'::text, 'nothing'::text])),
  constraint memberships_read_seq_check check (read_seq >= 0)
);
create index memberships_account_id on memberships using btree (account_id);

create table messages (
  room_id    uuid not null,
  seq        bigint not null,
  id         uuid not null,
  author_id  uuid not null,
  body       text not null,
  reply_to   bigint,
  posted_at  timestamp with time zone not null default now(),
  edited_at  timestamp with time zone,
  deleted_at timestamp with time zone,
  version    bigint not null default 0,
  search     tsvector default to_tsvector('russian'::regconfig, body),
  constraint messages_pkey primary key (room_id, seq),
  constraint messages_author_id_id_key unique (author_id, id),
  constraint messages_author_id_fkey foreign key (author_id) references accounts(id),
  constraint messages_room_id_fkey foreign key (room_id) references rooms(id) on delete cascade,
  constraint messages_room_id_reply_to_fkey foreign key (room_id, reply_to) references messages(room_id, seq),
  constraint messages_body_check check (char_length(body) <= 4000),
  constraint messages_check check ((body = ''::text) = (deleted_at is not null)),
  constraint messages_seq_check check (seq > 0)
);
create index messages_reply_to on messages using btree (room_id, reply_to) where reply_to is not null;
create index messages_version on messages using btree (room_id, version) where version > 0;
create index messages_search on messages using gin (search);
create index messages_posted_at on messages using btree (posted_at, seq, room_id);

create table outbox (
  id           uuid not null default gen_random_uuid(),
  type         text not null,
  payload      jsonb not null,
  attempts     integer not null default 0,
  available_at timestamp with time zone not null default now(),
  parked_at    timestamp with time zone,
  created_at   timestamp with time zone not null default now(),
  constraint outbox_pkey primary key (id)
);
create index outbox_available_at on outbox using btree (available_at) where parked_at is null;

create table mail_deliveries (
  message_id text not null,
  started_at timestamp with time zone not null default now(),
  sent_at    timestamp with time zone,
  constraint mail_deliveries_pkey primary key (message_id)
);

create table mailbox (
  message_id text not null,
  recipient  text not null,
  subject    text not null,
  body       text not null,
  sent_at    timestamp with time zone not null default now(),
  constraint mailbox_pkey primary key (message_id)
);
create index mailbox_recipient on mailbox using btree (recipient, sent_at);

create table presence (
  account_id uuid not null,
  replica    uuid not null,
  seen_at    timestamp with time zone not null,
  constraint presence_pkey primary key (account_id, replica),
  constraint presence_account_id_fkey foreign key (account_id) references accounts(id) on delete cascade
);

create table ended_sessions (
  id       text not null,
  ended_at timestamp with time zone not null default now(),
  constraint ended_sessions_pkey primary key (id)
);

create table reactions (
  room_id    uuid not null,
  seq        bigint not null,
  account_id uuid not null,
  emoji      text not null,
  reacted_at timestamp with time zone not null default now(),
  constraint reactions_pkey primary key (room_id, seq, emoji, account_id),
  constraint reactions_account_id_fkey foreign key (account_id) references accounts(id) on delete cascade,
  constraint reactions_room_id_seq_fkey foreign key (room_id, seq) references messages(room_id, seq) on delete cascade,
  constraint reactions_emoji_check check (char_length(emoji) <= 16)
);
create index reactions_account_id on reactions using btree (account_id);

create table mentions (
  account_id uuid not null,
  room_id    uuid not null,
  seq        bigint not null,
  written    text not null,
  everyone   boolean not null default false,
  constraint mentions_pkey primary key (account_id, room_id, seq),
  constraint mentions_account_id_fkey foreign key (account_id) references accounts(id) on delete cascade,
  constraint mentions_room_id_seq_fkey foreign key (room_id, seq) references messages(room_id, seq) on delete cascade
);
create index mentions_message on mentions using btree (room_id, seq);
