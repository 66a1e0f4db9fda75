-- Delivery: what people overrule, deploys that other sources count better, ids of foreign senders,
-- webhooks that senders post to, and the commits that pushes tell of.

-- `overruled` is a person's word on whether the deploy failed; a deploy that only GitHub told of,
-- where the API tells of deploys, is left out of numbers
alter table deploys add column overruled text check (overruled in ('failed', 'ok'));
alter table deploys add column is_left_out integer not null default 0;

-- the id that a sender other than the API gave a deploy
create table deploy_ids (
    project_id integer not null,
    source text not null,
    external_id text not null,
    deploy_id integer not null,
    primary key (project_id, source, external_id)
) strict, without rowid;
create index deploy_ids_deploy on deploy_ids (project_id, deploy_id);

-- addresses for senders with webhooks of their own: the address itself is a secret and kept hashed;
-- `secret` verifies signatures; `workflows` is a JSON list of names, empty for all
create table receivers (
    id integer primary key,
    project_id integer not null references projects (id),
    kind text not null check (kind in ('github', 'gitlab', 'heroku', 'coolify', 'cdevents')),
    address_hash blob not null unique,
    display text not null,
    secret text not null,
    env text,
    service text,
    workflows text not null,
    branch text,
    created_at integer not null,
    revoked_at integer,
    last_used_at integer
) strict;
create index receivers_project on receivers (project_id, id);

-- deliveries by their sender's id: the same one again gets the first answer
create table receiver_deliveries (
    project_id integer not null,
    receiver_id integer not null,
    delivery text not null,
    status integer not null,
    answer text not null,
    deploy_id integer,
    received_at integer not null,
    primary key (project_id, receiver_id, delivery)
) strict, without rowid;
create index receiver_deliveries_age on receiver_deliveries (received_at);

-- commits that pushes told of; `position` counts up along a branch of a repository
create table pushed_commits (
    project_id integer not null,
    repository text not null,
    sha text not null,
    branch text not null,
    position integer not null,
    committed_at integer,
    message text,
    author text,
    pushed_at integer not null,
    primary key (project_id, repository, sha)
) strict, without rowid;
create index pushed_commits_branch on pushed_commits (project_id, repository, branch, position);
create index pushed_commits_sha on pushed_commits (project_id, sha);

-- what a deploy brought, by when it was committed
create index deploy_commits_sha on deploy_commits (project_id, sha);
