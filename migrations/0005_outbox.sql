-- Up Migration
-- Events, written in the transaction that caused them; the relay hands them to the bus and deletes them.
create table outbox (
  id           uuid primary key default gen_random_uuid(),
  type         text not null,
  payload      jsonb not null,
  attempts     integer not null default 0,
  -- Not before this moment: a lease while somebody publishes it, a delay after a failure.
  available_at timestamptz not null default now(),
  -- Given up on (in-process bus only; RabbitMQ has queues for that). `cli.js replay` tries again.
  parked_at    timestamptz,
  created_at   timestamptz not null default now()
);

create index outbox_available_at on outbox (available_at) where parked_at is null;

-- Down Migration
drop table outbox;
