-- Up Migration
-- Events, written in the transaction that causes them. The relay publishes them on the bus and deletes them.
create table outbox (
  id           uuid primary key default gen_random_uuid(),
  type         text not null,
  payload      jsonb not null,
  attempts     integer not null default 0,
  -- No relay claims the event before this time: the end of a claim, or of a delay after a failure.
  available_at timestamptz not null default now(),
  -- Set after the last attempt has failed (in-process bus only; RabbitMQ has queues for that). `cli.js replay` tries again.
  parked_at    timestamptz,
  created_at   timestamptz not null default now()
);

create index outbox_available_at on outbox (available_at) where parked_at is null;

-- Down Migration
drop table outbox;
