-- A signing secret can be replaced: the old one signs beside the new one until it is over.

alter table webhooks add column old_secret text;
alter table webhooks add column old_secret_until integer;
