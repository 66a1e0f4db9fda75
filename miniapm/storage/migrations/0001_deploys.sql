-- Projects, the people and keys that may use them, and their deploys.
-- Instants are microseconds UTC (`_at`); ids are made by the application; flags are 0 or 1.

create table migrations (
    version integer primary key,
    name text not null,
    applied_at integer not null
) strict;

create table projects (
    id integer primary key,
    slug text not null unique,
    name text not null,
    created_at integer not null
) strict;

create table keys (
    id integer primary key,
    project_id integer not null references projects (id),
    name text not null,
    hash blob not null unique,
    display text not null,
    scopes text not null,
    env text,
    service text,
    created_at integer not null,
    expires_at integer,
    revoked_at integer,
    last_used_at integer,
    changed_at integer not null
) strict;
create index keys_project on keys (project_id, id);

create table users (
    id integer primary key,
    name text not null unique,
    password_hash text not null,
    role text not null check (role in ('admin', 'member', 'viewer')),
    created_at integer not null
) strict;

create table memberships (
    user_id integer not null references users (id) on delete cascade,
    project_id integer not null references projects (id) on delete cascade,
    primary key (user_id, project_id)
) strict, without rowid;

create table sessions (
    hash blob primary key,
    user_id integer not null references users (id) on delete cascade,
    created_at integer not null,
    seen_at integer not null,
    expires_at integer not null
) strict, without rowid;
create index sessions_user on sessions (user_id);

create table login_links (
    hash blob primary key,
    user_id integer references users (id) on delete cascade,
    created_at integer not null,
    expires_at integer not null
) strict, without rowid;

-- who made, changed and revoked what
create table audit (
    id integer primary key,
    project_id integer,
    actor text not null,
    action text not null,
    subject text not null,
    detail text not null,
    happened_at integer not null
) strict;
create index audit_project on audit (project_id, id);

create table deploys (
    id integer primary key,
    project_id integer not null references projects (id),
    service text not null,
    env text not null,
    git_sha text not null,
    version text,
    external_id text,
    title text,
    description text,
    deployer text,
    url text,
    repository text,
    status text not null check (status in ('started', 'succeeded', 'failed', 'cancelled', 'timed_out')),
    deployed_at integer not null,
    started_at integer,
    recorded_at integer not null,
    updated_at integer not null,
    hidden_at integer,
    sources text not null,
    key_id integer,
    search text not null
) strict;
create index deploys_time on deploys (project_id, deployed_at, id);
create index deploys_lane on deploys (project_id, service, env, deployed_at, id);
create index deploys_sha on deploys (project_id, service, env, git_sha, deployed_at);
create index deploys_foreign on deploys (project_id, service, env, deployed_at) where sources <> 'api';
create index deploys_updated on deploys (project_id, updated_at);
create unique index deploys_external on deploys (project_id, external_id) where external_id is not null;
create index deploys_open on deploys (updated_at) where status = 'started';

-- key columns first: else SQLite 3.40's integrity check finds NULLs that are not there
create table deploy_tags (
    project_id integer not null,
    deploy_id integer not null,
    tag text not null,
    position integer not null,
    primary key (project_id, deploy_id, tag)
) strict, without rowid;
create index deploy_tags_tag on deploy_tags (project_id, tag, deploy_id);

create table deploy_commits (
    project_id integer not null,
    deploy_id integer not null,
    sha text not null,
    position integer not null,
    message text,
    author text,
    committed_at integer,
    primary key (project_id, deploy_id, sha)
) strict, without rowid;

-- every correction by a person or an admin key; `before` and `after` are JSON of the changed fields
create table deploy_changes (
    id integer primary key,
    project_id integer not null,
    deploy_id integer not null,
    actor text not null,
    before text not null,
    after text not null,
    changed_at integer not null
) strict;
create index deploy_changes_deploy on deploy_changes (project_id, deploy_id, id);

create table idempotency (
    project_id integer not null,
    route text not null,
    key text not null,
    body_hash blob not null,
    deploy_id integer not null,
    created_at integer not null,
    primary key (project_id, route, key)
) strict, without rowid;
create index idempotency_age on idempotency (created_at);

-- ingest calls that were refused; project 0 keeps those whose key nobody knows
create table refusals (
    id integer primary key,
    project_id integer not null,
    route text not null,
    key_id integer,
    status integer not null,
    message text not null,
    fields text not null,
    body blob not null,
    refused_at integer not null
) strict;
create index refusals_project on refusals (project_id, id);
