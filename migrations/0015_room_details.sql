-- Up Migration
-- What the room is about. Empty: nobody has said it.
alter table rooms add column topic text not null default '' check (char_length(topic) <= 250);
-- People can read an archived room, but change nothing in it.
alter table rooms add column archived_at timestamptz;

-- Down Migration
alter table rooms drop column archived_at, drop column topic;
