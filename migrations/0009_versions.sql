-- Up Migration
-- Each change of a message takes the room's next number, under the lock under which posts take theirs.
alter table rooms add column version bigint not null default 0;
-- The room's version at its last change; 0: it is as it was posted.
alter table messages add column version bigint not null default 0;

create index messages_version on messages (room_id, version) where version > 0;

-- Down Migration
alter table messages drop column version;
alter table rooms drop column version;
