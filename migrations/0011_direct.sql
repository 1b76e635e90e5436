-- Up Migration
-- A direct conversation has no name of its own: each of its people sees the names of the others.
alter table rooms alter column name drop not null;
-- The people of a direct conversation, sorted by id: each set of people has one.
alter table rooms add column people uuid[] unique;
alter table rooms drop constraint rooms_kind_check;
alter table rooms
  add constraint rooms_kind_check check (kind in ('public', 'private', 'direct')),
  add constraint rooms_direct_check check ((kind = 'direct') = (name is null) and (kind = 'direct') = (people is not null));

-- Down Migration
delete from rooms where kind = 'direct';
alter table rooms
  drop constraint rooms_direct_check,
  drop constraint rooms_kind_check,
  drop column people,
  alter column name set not null;
alter table rooms add constraint rooms_kind_check check (kind in ('public', 'private'));
