-- Up Migration
-- What a search reads. The configuration for Russian takes words in Latin letters for English ones.
-- This rewrites the table: nothing is posted meanwhile, some ten seconds for a million messages.
alter table messages add column search tsvector generated always as (to_tsvector('russian', body)) stored;

create index messages_search on messages using gin (search);
-- For words that are in very many messages: the newest messages are read until the page is full.
create index messages_posted_at on messages (posted_at, seq, room_id);

-- Down Migration
drop index messages_posted_at;
alter table messages drop column search;
