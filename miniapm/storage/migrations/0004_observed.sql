-- Which releases were looked at for the deploy that they are (storage/observed/): `looked_at` is 0
-- for those that are new, or were seen earlier than was known.

alter table releases add column looked_at integer not null default 0;
create index releases_new on releases (project_id, id) where looked_at = 0;
create index releases_deploy on releases (project_id, deploy_id);

-- deploys that nobody announced
create index deploys_observed on deploys (project_id, service, env, deployed_at) where sources = 'telemetry';
