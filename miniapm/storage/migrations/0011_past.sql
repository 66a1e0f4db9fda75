-- The past: commits whose range nobody knows, so that each stands for the deployed one alone.

alter table deploy_commits add column is_approximate integer not null default 0;
create index deploy_commits_approximate on deploy_commits (project_id, deploy_id)
    where is_approximate = 1;

-- where the API may have told of a deploy: its first one is looked for with each one of GitHub's
create index deploys_told on deploys (project_id, service, env, deployed_at)
    where sources <> 'github' and sources <> 'import' and sources <> 'telemetry';
