//! The steps of the queue, each an atomic script.
//!
//! | key | holds |
//! |---|---|
//! | `{q}:work` | stream, group `pool`: `i` item, `p` payload, `d` deaths; an entry is deleted when its item is settled |
//! | `{q}:seen` | hash: each item that was fed |
//! | `{q}:results` | hash: item → first result |
//! | `{q}:tries` | hash: item → errors |
//! | `{q}:deaths` | hash: item → lost nodes |
//! | `{q}:dead` | hash: item → reason |
//! | `{q}:later` | sorted set: item, NUL, payload, by the time at which it is queued again |
//! | `{q}:events` | stream: `b` batch of events, for 15 s |
//! | `{q}:watch` | string: there while a board looks |
//! | `{q}:nodes` | sorted set: consumers, by the time at which they were last seen |
//!
//! Times are the server's, in milliseconds. A script that adds something does so before it
//! deletes, because a server without memory refuses the former and not the latter.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError, Script, ScriptInvocation, ToRedisArgs, cmd};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Work,
    Seen,
    Results,
    Tries,
    Deaths,
    Dead,
    Later,
    Events,
    Watch,
    Nodes,
}

impl Key {
    pub(super) const ALL: [Self; 10] = [
        Self::Work,
        Self::Seen,
        Self::Results,
        Self::Tries,
        Self::Deaths,
        Self::Dead,
        Self::Later,
        Self::Events,
        Self::Watch,
        Self::Nodes,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Seen => "seen",
            Self::Results => "results",
            Self::Tries => "tries",
            Self::Deaths => "deaths",
            Self::Dead => "dead",
            Self::Later => "later",
            Self::Events => "events",
            Self::Watch => "watch",
            Self::Nodes => "nodes",
        }
    }

    /// Returns the key of a queue. The braces put all keys of a queue on one node of a
    /// cluster.
    pub(super) fn of(self, queue: &str) -> String {
        format!("{{{queue}}}:{}", self.name())
    }
}

/// A script, with the keys that it uses.
#[derive(Debug)]
pub(super) struct Step {
    source: String,
    script: Script,
    keys: &'static [Key],
}

impl Step {
    /// Creates a step whose script uses each key by its name.
    fn new(keys: &'static [Key], source: &str) -> Self {
        let names: Vec<_> = keys.iter().map(|key| key.name()).collect();
        let source = format!("local {} = unpack(KEYS)\n{source}", names.join(", "));
        Self { script: Script::new(&source), source, keys }
    }

    /// Returns the command for a script that only reads, so that its user needs no more.
    pub(super) fn read(&self, names: &HashMap<Key, String>) -> Cmd {
        let mut command = cmd("EVAL_RO");
        command.arg(&self.source).arg(self.keys.len());
        for key in self.keys {
            command.arg(&names[key]);
        }
        command
    }

    pub(super) fn call<'a>(&'a self, names: &HashMap<Key, String>) -> Call<'a> {
        let mut call = self.script.prepare_invoke();
        for key in self.keys {
            call.key(&names[key]);
        }
        Call(call)
    }
}

/// A step with its arguments.
#[derive(Debug)]
pub(super) struct Call<'a>(ScriptInvocation<'a>);

impl Call<'_> {
    pub(super) fn arg(mut self, value: impl ToRedisArgs) -> Self {
        self.0.arg(value);
        self
    }

    pub(super) async fn invoke<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<T, RedisError> {
        self.0.invoke_async(connection).await
    }
}

#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) feed: Step,
    pub(super) claim: Step,
    pub(super) renew: Step,
    pub(super) complete: Step,
    pub(super) fail: Step,
    pub(super) release: Step,
    pub(super) publish: Step,
    pub(super) counts: Step,
    pub(super) drop: Step,
}

impl Scripts {
    #[rustfmt::skip]
    pub(super) fn new() -> Self {
        use Key::*;
        Self {
            feed: Step::new(&[Work, Seen], FEED),
            claim: Step::new(
                &[Work, Results, Deaths, Dead, Later, Nodes],
                &[ENTRY, RAW, TIME, ADD, CLAIM].concat(),
            ),
            renew: Step::new(&[Work, Deaths], &[ENTRY, RAW, RENEW].concat()),
            complete: Step::new(
                &[Work, Results, Tries, Deaths, Dead],
                &[ENTRY, COMPLETE].concat(),
            ),
            fail: Step::new(
                &[Work, Results, Tries, Dead, Later],
                &[ENTRY, TIME, FAIL].concat(),
            ),
            release: Step::new(&[Work, Deaths], &[ENTRY, ADD, RELEASE].concat()),
            publish: Step::new(&[Events, Watch, Nodes], &[TIME, PUBLISH].concat()),
            counts: Step::new(&[Work, Seen, Results, Dead, Later, Nodes], &[TIME, COUNTS].concat()),
            drop: Step::new(&Key::ALL, DROP),
        }
    }
}

/// Functions for entries of the queue.
const ENTRY: &str = "
local function entry(id)
  local found = redis.call('XRANGE', work, id, id)
  if #found == 0 then return nil end
  local entry, fields = {id = id}, found[1][2]
  for n = 1, #fields, 2 do entry[fields[n]] = fields[n + 1] end
  return entry
end
local function owned(id, consumer)
  return #redis.call('XPENDING', work, 'pool', id, id, 1, consumer) == 1
end
local function settle(id)
  redis.call('XACK', work, 'pool', id)
  redis.call('XDEL', work, id)
end
";

const RAW: &str = "
local function raw(entry)
  return {entry.id, entry.i, entry.p, tonumber(redis.call('HGET', deaths, entry.i) or 0)}
end
";

const TIME: &str = "
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
";

/// An entry says how many nodes its item has lost, for the node that reads it.
const ADD: &str = "
local function add(item, payload)
  local lost = redis.call('HGET', deaths, item)
  if lost then
    redis.call('XADD', work, '*', 'i', item, 'p', payload, 'd', lost)
  else
    redis.call('XADD', work, '*', 'i', item, 'p', payload)
  end
end
";

/// Arguments: pairs of an item and its payload. Returns -1 if the queue expires.
const FEED: &str = "
if redis.call('PTTL', seen) >= 0 then return -1 end
local fed = 0
for n = 1, #ARGV, 2 do
  if redis.call('HSETNX', seen, ARGV[n], 1) == 1 then
    redis.call('XADD', work, '*', 'i', ARGV[n], 'p', ARGV[n + 1])
    fed = fed + 1
  end
end
return fed
";

/// Arguments: consumer, lease, count, limit, then pairs of an idle entry and its consumer.
///
/// Returns entries to work on, dead items with their reasons, and the entries that are
/// idle now with their consumers.
const CLAIM: &str = "
local me, lease, count, limit = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
for _, member in ipairs(redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, 100)) do
  local cut = string.find(member, '%z')
  local item = string.sub(member, 1, cut - 1)
  if redis.call('HEXISTS', results, item) == 0 then
    add(item, string.sub(member, cut + 1))
  end
  redis.call('ZREM', later, member)
end

local taken, died = {}, {}
for n = 5, #ARGV, 2 do
  local id, consumer = ARGV[n], ARGV[n + 1]
  local idle = redis.call('XPENDING', work, 'pool', 'IDLE', lease, id, id, 1, consumer)
  if #idle == 1 then
    local entry = entry(id)
    if not entry or redis.call('HEXISTS', results, entry.i) == 1 then
      settle(id)
    elseif #taken < count then
      local lost = redis.call('HINCRBY', deaths, entry.i, 1)
      if lost >= limit then
        local reason = 'lost the node that worked on it ' .. lost .. ' times'
        redis.call('HSET', dead, entry.i, reason)
        settle(id)
        died[#died + 1] = {entry.i, reason}
      else
        redis.call('XCLAIM', work, 'pool', me, 0, id, 'JUSTID')
        taken[#taken + 1] = raw(entry)
      end
    end
  end
end

local seen = {}
for _, idle in ipairs(redis.call('XPENDING', work, 'pool', 'IDLE', lease, '-', '+', 1000)) do
  if idle[2] ~= me then seen[#seen + 1] = {idle[1], idle[2]} end
end

for _, gone in ipairs(redis.call('ZRANGEBYSCORE', nodes, '-inf', now - 3600000, 'LIMIT', 0, 10)) do
  if #redis.call('XPENDING', work, 'pool', '-', '+', 1, gone) == 0 then
    redis.call('XGROUP', 'DELCONSUMER', work, 'pool', gone)
    redis.call('ZREM', nodes, gone)
  end
end
return {taken, died, seen}
";

/// Arguments: consumer, a time, entries. Returns the entries that are not the consumer's,
/// and the others that have been the consumer's for that time.
const RENEW: &str = "
local me, lost, strays = ARGV[1], {}, {}
for n = 3, #ARGV do
  local id = ARGV[n]
  if not owned(id, me) or #redis.call('XCLAIM', work, 'pool', me, 0, id, 'JUSTID') == 0 then
    lost[#lost + 1] = id
  end
end
for _, idle in ipairs(redis.call('XPENDING', work, 'pool', 'IDLE', ARGV[2], '-', '+', 10000, me)) do
  local entry = entry(idle[1])
  if entry then
    redis.call('XCLAIM', work, 'pool', me, 0, idle[1], 'JUSTID')
    strays[#strays + 1] = raw(entry)
  else
    redis.call('XACK', work, 'pool', idle[1])
  end
end
return {lost, strays}
";

/// Arguments: triples of an entry, its item and the result.
const COMPLETE: &str = "
local first, items = 0, {}
for n = 1, #ARGV, 3 do
  first = first + redis.call('HSETNX', results, ARGV[n + 1], ARGV[n + 2])
  items[#items + 1] = ARGV[n + 1]
end
for _, hash in ipairs({tries, deaths, dead}) do redis.call('HDEL', hash, unpack(items)) end
for n = 1, #ARGV, 3 do
  -- After a rollback, an entry of this id may hold another item.
  local entry = entry(ARGV[n])
  if entry and entry.i == ARGV[n + 1] then settle(ARGV[n]) end
end
return first
";

/// Arguments: consumer, entry, item, error, limit, pauses.
const FAIL: &str = "
local me, id, item, limit = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[5])
local entry = entry(id)
if not entry or entry.i ~= item or not owned(id, me) then return {'ignored', 0} end
if redis.call('HEXISTS', results, item) == 1 then
  settle(id)
  return {'ignored', 0}
end
local errors = redis.call('HINCRBY', tries, item, 1)
if errors >= limit then
  redis.call('HSET', dead, item, ARGV[4])
  settle(id)
  return {'dead', errors}
end
local pause = tonumber(ARGV[5 + errors] or ARGV[#ARGV])
redis.call('ZADD', later, now + pause, item .. '\\0' .. entry.p)
settle(id)
return {'again', pause}
";

/// Arguments: consumer, entries.
const RELEASE: &str = "
for n = 2, #ARGV do
  local entry = entry(ARGV[n])
  if entry and owned(ARGV[n], ARGV[1]) then
    add(entry.i, entry.p)
    settle(ARGV[n])
  end
end
return 1
";

/// Arguments: consumer, batch or nothing. Returns whether a board looks, and the nodes.
const PUBLISH: &str = "
redis.call('ZADD', nodes, now, ARGV[1])
local watched = redis.call('EXISTS', watch)
if watched == 1 and #ARGV[2] > 0 then
  redis.call('XADD', events, 'MAXLEN', '~', 10000, '*', 'b', ARGV[2])
  redis.call('XTRIM', events, 'MINID', '~', now - 15000)
  redis.call('PEXPIRE', events, 60000)
end
return {watched, redis.call('ZCOUNT', nodes, now - 15000, '+inf')}
";

const COUNTS: &str = "
local taken = 0
if redis.call('EXISTS', work) == 1 then
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', work)) do taken = group[6] end
end
return {
  redis.call('HLEN', seen),
  math.max(redis.call('XLEN', work) - taken, 0),
  taken,
  redis.call('ZCARD', later),
  redis.call('HLEN', results),
  redis.call('HLEN', dead),
  redis.call('ZCOUNT', nodes, now - 15000, '+inf'),
}
";

/// Arguments: the time in which the queue expires, or 0 to delete it at once.
const DROP: &str = "
if ARGV[1] == '0' then
  redis.call('UNLINK', unpack(KEYS))
  return 1
end
local settled = redis.call('HLEN', results) + redis.call('HLEN', dead)
if redis.call('XLEN', work) + redis.call('ZCARD', later) > 0 or settled < redis.call('HLEN', seen) then
  return 0
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
return 1
";
