-- for how long the server keeps what, in microseconds: a command may have been given other settings
create table lifetimes (
    kind text primary key,
    lifetime_us integer not null
) strict;

-- how the jobs of the server fare, as it noted itself about once a minute: for `doctor`
create table jobs (
    name text primary key,
    finished_at integer,
    failures integer not null,
    error text not null,
    noted_at integer not null
) strict;
