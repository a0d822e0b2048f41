"""Tables, triggers and documented views of the ledger; apart because SQL is read on its own."""

from __future__ import annotations

VERSION = 2
"""Of tables and views together. Views are made anew; the events of an older version stay as they are."""

SCHEMA = """
create table if not exists events (
  seq integer primary key autoincrement,
  at text not null,
  night text not null,
  loop text not null,
  task text not null,
  iteration text not null,
  kind text not null,
  data text not null,
  hash text not null
);
create index if not exists events_by_night on events (night, kind);
create index if not exists events_by_iteration on events (iteration, kind);
create index if not exists events_by_kind on events (kind, task);
create trigger if not exists events_no_update before update on events
begin select raise(abort, 'the ledger is append-only'); end;
create trigger if not exists events_no_delete before delete on events
begin select raise(abort, 'the ledger is append-only'); end;
"""

VIEWS = """
create view iterations as
select b.night, b.loop, b.task, b.iteration,
       json_extract(b.data, '$.attempt') as attempt,
       json_extract(b.data, '$.agent') as agent,
       b.at as began, e.at as ended,
       json_extract(e.data, '$.outcome') as outcome,
       json_extract(e.data, '$.summary') as summary,
       json_extract(e.data, '$.tree') as tree,
       json_extract(c.data, '$.commit') as "commit"
from events b
left join events e on e.iteration = b.iteration and e.kind = 'ended'
left join events c on c.iteration = b.iteration and c.kind = 'committed'
where b.kind = 'began';

create view gates as
select night, loop, task, iteration, at,
       json_extract(data, '$.name') as name,
       json_extract(data, '$.kind') as kind,
       json_extract(data, '$.verdict') as verdict,
       json_extract(data, '$.reason') as reason,
       json_extract(data, '$.tree') as tree,
       json_extract(data, '$.counts.collected') as collected,
       json_extract(data, '$.counts.failed') as failed,
       json_extract(data, '$.execution.seconds') as seconds
from events where kind = 'gate';

create view usage as
select night, loop, task, iteration, at,
       json_extract(data, '$.model') as model,
       json_extract(data, '$.usage.input_tokens') as input_tokens,
       json_extract(data, '$.usage.cache_write_tokens') as cache_write_tokens,
       json_extract(data, '$.usage.cache_read_tokens') as cache_read_tokens,
       json_extract(data, '$.usage.output_tokens') as output_tokens,
       json_extract(data, '$.usage.dollars') as dollars,
       json_extract(data, '$.usage.reported_dollars') as reported_dollars
from events where kind = 'settled';

create view tasks as
select t.task, t.night,
       json_extract(t.data, '$.status') as status,
       json_extract(t.data, '$.reason') as reason,
       t.at,
       (select count(*) from events b where b.kind = 'began' and b.task = t.task) as iterations
from events t
where t.kind = 'task'
  and t.seq = (select max(seq) from events where kind = 'task' and task = t.task);

create view evidence as
select night, loop, task, iteration, at,
       json_extract(data, '$.name') as gate,
       json_extract(data, '$.verdict') as verdict,
       json_extract(data, '$.grade') as grade,
       json_extract(data, '$.tree') as tree,
       json_extract(data, '$.execution.argv') as argv,
       json_extract(data, '$.execution.exit_code') as exit_code,
       json_extract(data, '$.execution.log') as log,
       json_extract(data, '$.execution.log_sha256') as log_sha256
from events where kind = 'gate' and json_extract(data, '$.execution') is not null;

create view executions as
with found as (
  select seq, night, loop, task, iteration, json_extract(data, '$.name') as gate,
         json_extract(data, '$.execution') as ran, json_extract(data, '$.counts') as counts
  from events where kind = 'gate' and json_extract(data, '$.execution') is not null
  union all
  select e.seq, e.night, e.loop, e.task, e.iteration, json_extract(e.data, '$.name'),
         json_extract(r.value, '$.execution'), json_extract(r.value, '$.counts')
  from events e, json_each(e.data, '$.runs') r where e.kind = 'gate'
)
select seq, night, loop, task, iteration, gate,
       json_extract(ran, '$.purpose') as purpose,
       json_extract(ran, '$.attempt') as attempt,
       json_extract(ran, '$.argv') as argv,
       json_extract(ran, '$.directory') as directory,
       json_extract(ran, '$.tree') as tree,
       json_extract(ran, '$.environment') as environment,
       json_extract(ran, '$.started') as started,
       json_extract(ran, '$.ended') as ended,
       json_extract(ran, '$.exit_code') as exit_code,
       json_extract(ran, '$.signal') as signal,
       json_extract(counts, '$.collected') as collected,
       json_extract(counts, '$.failed') as failed,
       json_extract(ran, '$.run') as run,
       json_extract(ran, '$.log') as log,
       json_extract(ran, '$.log_sha256') as log_sha256,
       json_extract(ran, '$.report') as report,
       json_extract(ran, '$.report_sha256') as report_sha256
from found;

create view decisions as
select seq, night, at, loop, task, iteration, kind,
       coalesce(json_extract(data, '$.why'), json_extract(data, '$.reason'), json_extract(data, '$.cause'),
                json_extract(data, '$.summary'), json_extract(data, '$.text'), '') as why,
       coalesce(json_extract(data, '$.by'), 'daemon') as by,
       data
from events
where kind in ('began', 'reassigned', 'clean_start', 'pinned', 'parked', 'limit', 'paused', 'resumed', 'waiting',
               'halted', 'environment', 'quarantined', 'review_ended', 'intends', 'ended', 'task', 'blocked', 'landed',
               'train', 'night_ended');
"""

_NAMES = ("iterations", "gates", "usage", "tasks", "evidence", "executions", "decisions")
DROP_VIEWS = "".join(f"drop view if exists {name};\n" for name in _NAMES)

DOCUMENTED = {
    "iterations": "one row for each iteration: loop, task, attempt, agent, outcome, tree, commit",
    "gates": "one row for each gate verdict: name, verdict, reason, counts, seconds",
    "usage": "one row for each model call: tokens and dollars (null: price unknown)",
    "tasks": "the last state of each task and how many iterations it took",
    "evidence": "one row for each executed gate: argv, tree, exit code, log and its SHA-256",
    "executions": "one row for each command that was run for a verdict, also on the base, again or on proof trees",
    "decisions": "what the daemon or a person decided and why: picks, reassignments, parking, limits, pauses, ends",
    "events": "everything, as it was written: seq, at, night, loop, task, iteration, kind, data (JSON), hash",
}
