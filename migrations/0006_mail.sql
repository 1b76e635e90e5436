-- Up Migration
-- One row per mail that must be sent once: first started, then sent.
create table mail_deliveries (
  message_id text primary key,
  started_at timestamptz not null default now(),
  sent_at    timestamptz
);

-- The local mailbox, used when Mailgun is not configured.
create table mailbox (
  message_id text primary key,
  recipient  text not null,
  subject    text not null,
  body       text not null,
  sent_at    timestamptz not null default now()
);

create index mailbox_recipient on mailbox (recipient, sent_at);

-- Down Migration
drop table mailbox;
drop table mail_deliveries;
