-- What each deploy did: the verdict with its evidence, what people said of it, and the past that it
-- is measured by.

-- `since` and `until` are the minutes that the verdict rests on; `served` counts the requests and
-- errors in them when it was computed; `evidence`, `minutes` and `strip` are MessagePack, compressed
create table impacts (
    deploy_id integer primary key,
    project_id integer not null,
    service text not null,
    env text not null,
    state text not null check (state in ('pending', 'provisional', 'final', 'withdrawn', 'superseded')),
    verdict text not null check (verdict in ('regressed', 'improved', 'unchanged', 'not_enough_data')),
    is_learning integer not null,
    since integer not null,
    until integer not null,
    next_look_at integer,
    served integer not null,
    deploy_updated_at integer not null,
    changed_at integer not null,
    computed_at integer not null,
    evidence blob not null,
    minutes blob,
    strip blob
) strict;
create index impacts_due on impacts (next_look_at) where next_look_at is not null;
create index impacts_lane on impacts (project_id, service, env, until);
create index impacts_changed on impacts (project_id, changed_at);

-- each time a state or a verdict became another one
create table impact_changes (
    id integer primary key,
    project_id integer not null,
    deploy_id integer not null,
    look integer,
    state text not null,
    verdict text not null,
    sentence text not null,
    changed_at integer not null
) strict;
create index impact_changes_deploy on impact_changes (project_id, deploy_id, id);
create index impact_changes_time on impact_changes (project_id, changed_at);

-- what a person said of a verdict
create table impact_reviews (
    deploy_id integer primary key,
    project_id integer not null,
    decision text not null check (decision in ('dismiss', 'confirm')),
    note text not null,
    actor text not null,
    reviewed_at integer not null
) strict;
create index impact_reviews_project on impact_reviews (project_id, reviewed_at);

-- hours whose moments are to be replayed, for their minutes or their neighbours' changed; `times`
-- tells whether they changed again meanwhile
create table replay_hours (
    project_id integer not null,
    service text not null,
    env text not null,
    hour integer not null,
    times integer not null,
    primary key (project_id, service, env, hour)
) strict, without rowid;
create index replay_hours_hour on replay_hours (hour);
insert into replay_hours (project_id, service, env, hour, times)
    select distinct u.project_id, r.service, r.env, u.started_at, 1
    from rollups u join releases r on r.project_id = u.project_id and r.id = u.release_id
    where u.resolution = 60 and u.endpoint_id = 0;

-- an hour of moments of an endpoint, as domain/impact/moments.py has them
create table replays (
    project_id integer not null,
    env text not null,
    endpoint_id integer not null,
    hour integer not null,
    moments blob not null,
    primary key (project_id, env, endpoint_id, hour)
) strict, without rowid;
create index replays_hour on replays (hour);

-- how the endpoints of a service swing, as learned from the moments before `until`
create table swings (
    project_id integer not null,
    service text not null,
    env text not null,
    until integer not null,
    learned_at integer not null,
    content blob not null,
    primary key (project_id, service, env)
) strict, without rowid;
