-- Receivers: how deploys that only GitHub told of are found and marked.

-- deploys that only GitHub told of, to leave them out or in
create index deploys_github on deploys (project_id, service, env, is_left_out, deployed_at)
    where sources = 'github';

-- the settings by which rows were marked, so that a start with other ones marks them anew
create table delivery_rules (
    name text primary key,
    value text not null
) strict, without rowid;

-- the latest delivery of each receiver
create index receiver_deliveries_latest
    on receiver_deliveries (project_id, receiver_id, received_at);
