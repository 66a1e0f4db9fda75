-- What applications send: batches of spans as they came, one row per entry span, rollups.
-- A span is no row. Ids of entries are their batch's id plus a position (domain/spans/ids.py).

-- who served: a service in an environment at a version; ids count up within a project
create table releases (
    project_id integer not null,
    id integer not null,
    service text not null,
    env text not null,
    version text not null,
    revision text not null,
    first_seen_at integer not null,
    last_seen_at integer not null,
    recorded_at integer not null,
    deploy_id integer,
    primary key (project_id, id)
) strict, without rowid;
create unique index releases_name on releases (project_id, service, env, version, revision);

-- ids count up within a project; 0 stands for all of a release together and has no row
create table endpoints (
    project_id integer not null,
    id integer not null,
    service text not null,
    name text not null,
    first_seen_at integer not null,
    last_seen_at integer not null,
    primary key (project_id, id)
) strict, without rowid;
create unique index endpoints_name on endpoints (project_id, service, name);

-- `body` is the request as it came, compressed by zstd; `format` says how to read it
create table span_batches (
    id integer primary key,
    project_id integer not null,
    started_at integer not null,
    ended_at integer not null,
    span_count integer not null,
    format text not null check (format in ('protobuf', 'json', 'requests')),
    digest blob not null,
    defaults text not null,
    body blob not null
) strict;

-- the last 4 bytes of the trace ids in a batch, sorted (their first ones are zeros or the time):
-- found by scanning, for an index by trace is what slows with size; apart from the bodies, which a
-- scan must not touch
create table span_batch_traces (
    batch_id integer primary key,
    project_id integer not null,
    tails blob not null
) strict;

-- what bodies of a project have in common, as zstd wants it; a frame carries the id that it needs
create table span_dictionaries (
    project_id integer not null,
    id integer not null,
    made_at integer not null,
    content blob not null,
    primary key (project_id, id)
) strict;

create table entries (
    id integer primary key,
    project_id integer not null,
    endpoint_id integer not null,
    release_id integer not null,
    started_at integer not null,
    duration_us integer not null,
    failed integer not null,
    status_code integer,
    trace_id blob,
    database_us integer not null,
    database_count integer not null,
    http_us integer not null,
    http_count integer not null
) strict;
create index entries_slow on entries (project_id, (started_at / 3600000000), duration_us);
create index entries_endpoint on entries (project_id, endpoint_id, (started_at / 3600000000), duration_us);
create index entries_failed on entries (project_id, endpoint_id, id) where failed = 1;

-- `resolution` is 1, 10 or 60 minutes; `histogram` as domain/histograms.py writes it; `slow_id` and
-- `failed_id` are entries to look at
create table rollups (
    project_id integer not null,
    resolution integer not null,
    endpoint_id integer not null,
    started_at integer not null,
    release_id integer not null,
    count integer not null,
    failed integer not null,
    duration_us integer not null,
    database_us integer not null,
    http_us integer not null,
    slow_us integer not null,
    slow_id integer not null,
    failed_id integer,
    histogram blob not null,
    primary key (project_id, resolution, endpoint_id, started_at, release_id)
) strict, without rowid;

-- the last entry that the rollups hold: those after it are replayed after a crash
create table rollup_progress (
    name text primary key,
    entry_id integer not null
) strict, without rowid;
