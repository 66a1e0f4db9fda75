-- Telling people: outgoing webhooks with what was sent to them, and badges.

-- `secret` signs, so it is kept as it is; `events` are names divided by spaces
create table webhooks (
    id integer primary key,
    project_id integer not null references projects (id),
    url text not null,
    format text not null check (format in ('json', 'slack')),
    events text not null,
    secret text not null,
    created_at integer not null,
    disabled_at integer
) strict;
create index webhooks_project on webhooks (project_id, id);

-- a message for each webhook, sent again from here until it arrives; also the log. `subject_id` is
-- the row that the event tells of
create table webhook_deliveries (
    id integer primary key,
    project_id integer not null,
    webhook_id integer not null references webhooks (id) on delete cascade,
    event text not null,
    subject_id integer not null,
    body text not null,
    state text not null check (state in ('waiting', 'delivered', 'failed')),
    created_at integer not null,
    attempts integer not null,
    next_attempt_at integer,
    tried_at integer,
    status integer,
    problem text not null,
    took_us integer
) strict;
create unique index webhook_deliveries_once on webhook_deliveries (webhook_id, event, subject_id);
create index webhook_deliveries_log on webhook_deliveries (project_id, webhook_id, id);
create index webhook_deliveries_due on webhook_deliveries (next_attempt_at)
    where next_attempt_at is not null;

-- what came above the hourly cap of a webhook, until it is summed up
create table webhook_held (
    project_id integer not null,
    webhook_id integer not null references webhooks (id) on delete cascade,
    event text not null,
    count integer not null,
    since_at integer not null,
    primary key (project_id, webhook_id, event)
) strict, without rowid;

-- what of the last days was told or passed over (a deploy, a change of a verdict, a group of errors):
-- nothing is looked at twice
create table webhook_seen (
    project_id integer not null,
    kind text not null,
    subject_id integer not null,
    seen_at integer not null,
    primary key (project_id, kind, subject_id)
) strict, without rowid;
create index webhook_seen_age on webhook_seen (seen_at);

-- new groups are found by when they were made
create index error_groups_made on error_groups (project_id, id);

-- the address of a badge is all that it takes to see it, and is shown on the settings page
create table badges (
    project_id integer not null,
    env text not null,
    token text not null unique,
    made_at integer not null,
    primary key (project_id, env)
) strict, without rowid;
