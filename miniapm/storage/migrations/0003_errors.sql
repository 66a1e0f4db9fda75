-- Errors: groups of the same error, how often and in which releases, and some of them whole.

create table error_groups (
    id integer primary key,
    project_id integer not null references projects (id),
    service text not null,
    fingerprint text not null,
    exception_class text not null,
    message text not null,
    culprit text not null,
    first_seen_at integer not null,
    last_seen_at integer not null,
    count integer not null,
    state text not null check (state in ('open', 'resolved', 'ignored')),
    state_changed_at integer,
    state_changed_by text,
    resolved_at integer,
    regressed_at integer,
    regressed_deploy_id integer,
    first_release_id integer not null,
    sampled_minute integer not null,
    sampled_count integer not null,
    search text not null
) strict;
create unique index error_groups_name on error_groups (project_id, service, fingerprint);
create index error_groups_seen on error_groups (project_id, last_seen_at, id);

-- `resolution` is 1, 10 or 60 minutes, each complete on its own, as that of rollups
create table error_counts (
    project_id integer not null,
    resolution integer not null,
    group_id integer not null,
    started_at integer not null,
    release_id integer not null,
    count integer not null,
    primary key (project_id, resolution, group_id, started_at, release_id)
) strict, without rowid;
create index error_counts_time on error_counts (resolution, started_at);

create table error_releases (
    project_id integer not null,
    group_id integer not null,
    release_id integer not null,
    first_seen_at integer not null,
    last_seen_at integer not null,
    count integer not null,
    primary key (project_id, group_id, release_id)
) strict, without rowid;

-- the first few of a group and the latest; `body` is MessagePack, compressed by zstd
create table error_occurrences (
    id integer primary key,
    project_id integer not null,
    group_id integer not null,
    happened_at integer not null,
    body blob not null
) strict;
create index error_occurrences_group on error_occurrences (project_id, group_id, id);
create index error_occurrences_time on error_occurrences (happened_at);

-- the latest occurrences that came with a span: one that comes again is counted once; `position`
-- counts up within a project, and what is far behind is deleted
create table error_recent (
    project_id integer not null,
    position integer not null,
    digest integer not null,
    group_id integer not null,
    primary key (project_id, position)
) strict, without rowid;
create unique index error_recent_digest on error_recent (project_id, digest);
