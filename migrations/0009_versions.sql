-- Up Migration
-- Each change of a message takes the room's next version, under the same lock as posts.
alter table rooms add column version bigint not null default 0;
-- The room's version at the last change of the message. 0: the message was never changed.
alter table messages add column version bigint not null default 0;

create index messages_version on messages (room_id, version) where version > 0;

-- Down Migration
alter table messages drop column version;
alter table rooms drop column version;
