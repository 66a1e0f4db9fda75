-- What clients of other services keep here that is no deploy yet: releases with their commits, as
-- Sentry has them, and questions of a deployment gate, as Datadog asks them.

-- `projects` is a JSON list of the slugs that the sender named; `head` the commit that it released
create table foreign_releases (
    project_id integer not null references projects (id),
    version text not null,
    projects text not null,
    head text,
    url text,
    created_at integer not null,
    released_at integer,
    primary key (project_id, version)
) strict, without rowid;
create index foreign_releases_time on foreign_releases (project_id, created_at);

-- newest first by `position`; as in deploy_commits
create table foreign_release_commits (
    project_id integer not null,
    version text not null,
    sha text not null,
    position integer not null,
    message text,
    author text,
    committed_at integer,
    primary key (project_id, version, sha)
) strict, without rowid;

create table foreign_release_deploys (
    project_id integer not null,
    version text not null,
    deploy_id integer not null,
    primary key (project_id, version, deploy_id)
) strict, without rowid;
create index foreign_release_deploys_deploy on foreign_release_deploys (project_id, deploy_id);

create table foreign_gates (
    project_id integer not null,
    id integer not null,
    service text not null,
    env text not null,
    version text,
    asked_at integer not null,
    primary key (project_id, id)
) strict, without rowid;
create index foreign_gates_age on foreign_gates (asked_at);
