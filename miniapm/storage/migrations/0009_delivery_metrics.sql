-- What the delivery metrics read: live deploys by lane, verdicts that say regressed, and commits
-- that take others back, in git's own words.

create index deploys_live on deploys (project_id, service, env, deployed_at, id, git_sha, overruled)
    where status = 'succeeded' and hidden_at is null and is_left_out = 0;
create index impacts_regressed on impacts (project_id, state, deploy_id)
    where verdict = 'regressed';
create index deploy_commits_reverts on deploy_commits (project_id, deploy_id, message)
    where message like '%This reverts commit %';
create index deploy_commits_waits on deploy_commits (project_id, deploy_id, committed_at, sha)
    where committed_at is not null;

-- counts up with every change of what the metrics of a service are made of, so that what a page
-- remembers of it is known to be old
create table deploy_versions (
    project_id integer not null,
    service text not null,
    version integer not null,
    primary key (project_id, service)
) strict, without rowid;
