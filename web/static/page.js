// Shows the messages of `events`. Every text is data: it is only ever set as the text of an
// element. The order and the marks are those of the board on a terminal.
"use strict";

/** The number of running rows that are shown, and of ended rows and lines that are kept. */
const SHOWN = 200, PAST = 1000;
/** The number of groups that are shown. */
const GROUPS = 100;
/** The seconds without an update after which a row is quiet, and after which it is stuck. */
const QUIET = 10, STUCK = 60;
const MARKS = { finished: "✓", failed: "✗", panicked: "✗", cancelled: "⊘", lost: "⊘", abandoned: "…" };

const $ = (id) => document.getElementById(id);
const numbers = new Intl.NumberFormat("en-US");

/** The running rows by id, and the ended rows and lines in order. */
const rows = new Map();
let past = [];
/** The elements of shown running rows by id. */
const elements = new Map();
/** The ids of the rows that are shown while not all are, and when they were chosen. */
let chosen = new Set(), chosenAt = -Infinity;
let group = null;
let counts = {}, closed = false;
/** The time on the board in seconds, when it was that, and how fast it passes. */
let clock = { now: 0, at: 0, rate: 1 };

const boardTime = () => clock.now + (performance.now() - clock.at) / 1000 * clock.rate;

// Receiving

let events = null;

function connect() {
  events = new EventSource("events");
  events.onmessage = (event) => receive(JSON.parse(event.data));
  events.onopen = () => connection("live", "live");
  events.onerror = () => {
    connection("lost", "reconnecting…");
    // The browser retries by itself, unless the answer was an error.
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
  };
}

function receive(message) {
  if (message.reset) {
    rows.clear();
    past = [];
    chosenAt = groupsAt = -Infinity;
    $("past").replaceChildren();
    $("title").textContent = document.title = message.title;
  }
  clock = { now: message.now, at: performance.now(), rate: message.rate };
  counts = message.counts;
  counts.running = message.running;
  if (message.keep) {
    const runs = (id) => message.keep.some(([first, last]) => first <= id && id <= last);
    for (const id of rows.keys()) if (!runs(id)) rows.delete(id);
  }
  if (message.gap) past.push({ kind: "gap" });
  for (const item of message.items) {
    if (item.kind === "row") {
      const before = rows.get(item.id);
      const same = before && before.text === item.text && before.status === item.status;
      item.bold = same ? before.bold : item.updated + 1;
      if (before) Object.assign(item, { key: before.key, above: before.above, below: before.below });
      item.group = before && before.prefix === item.prefix ? before.group : groupOf(item);
      rows.set(item.id, item);
    } else {
      if (item.id) rows.delete(item.id);
      if (item.kind !== "vanished") past.push(item);
    }
  }
  if (past.length > 2 * PAST) past = past.slice(-PAST);
  set($("partial"), message.partial || "");
  $("partial").hidden = !message.partial;
  closed = message.closed;
  if (closed) {
    events.close();
    connection("", "ended");
  }
  schedule();
}

function connection(kind, text) {
  set($("connection"), text);
  $("connection").className = kind;
}

// Formatting

function duration(seconds) {
  const whole = Math.floor(seconds), two = (number) => String(number).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h ${two(Math.floor(whole / 60) % 60)}m`;
  return `${Math.floor(whole / 86400)}d ${two(Math.floor(whole / 3600) % 24)}h`;
}

const taken = (seconds) => seconds < 10 ? `${seconds.toFixed(1)}s` : duration(seconds);
const quiet = (seconds) => duration(seconds < STUCK ? seconds : seconds - seconds % 60).replace(" 00s", "");
const prefix = (row) => row.prefix.replace(/[:\s]+$/, "");

/** Returns the unit in which a number has at most three digits before the point. */
function scale(number, unit, plain) {
  const [base, gap, names] = unit === "bytes" ? [1024, " ", ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]]
    : unit === "decimal_bytes" ? [1000, " ", ["B", "kB", "MB", "GB", "TB", "PB", "EB"]]
    : [1000, "", ["", "k", "M", "G", "T", "P", "E"]];
  let one = 1, power = 0;
  while (number >= plain && number >= 1000 * one && power < 6) one *= base, power += 1;
  const digits = number < 10 * one ? 2 : number < 100 * one ? 1 : 0;
  return { one, digits, name: gap + names[power] };
}

/** Writes a number in a unit, rounded down. */
function digits(number, { one, digits }) {
  const power = 10 ** digits, parts = Math.floor(number * power / one);
  return digits ? (parts / power).toFixed(digits) : numbers.format(parts);
}

/** Returns the count of progress, such as `3.1/49.4 MiB`. */
function amount({ position, total, unit, text }, done) {
  if (text !== null) return text.trim();
  const size = total === null || done ? position : total;
  const unitOf = scale(size, unit, unit === "bytes" || unit === "decimal_bytes" ? 0 : 1e7);
  if (unitOf.one === 1) unitOf.digits = 0;
  const all = digits(size, unitOf) + unitOf.name + (unit && unit.named ? ` ${unit.named}` : "");
  return total === null || done ? all : `${digits(position, unitOf)}/${all}`;
}

function rate(progress) {
  if (!progress || progress.rate === undefined) return "";
  const unit = scale(progress.rate / 1000, progress.unit, 0);
  return `${digits(progress.rate / 1000, unit)}${unit.name}/s`;
}

const left = (progress) =>
  progress && progress.seconds_left !== undefined ? `${duration(progress.seconds_left)} left` : "";

// Drawing

function set(element, text) {
  if (element.shown !== text) element.textContent = element.shown = text;
}

function label(element, text) {
  if (element.named !== text) element.setAttribute("aria-label", element.named = text);
}

function create(name, className) {
  const element = document.createElement(name);
  element.className = className;
  return element;
}

/** Creates the elements of a row. */
function createRow() {
  const cells = { row: create("li", "row"), bar: null };
  for (const part of ["mark", "prefix", "text", "percent", "count", "rate", "tail"]) {
    cells.row.append(cells[part] = create("span", part));
  }
  cells.mark.setAttribute("role", "img");
  return cells;
}

/** Draws a row that runs, and returns when it changes by itself. */
function drawRunning(cells, row, now) {
  const { progress } = row;
  const total = progress ? progress.total : null;
  const age = row.pinned || row.elapsed || row.detached ? 0 : now - row.updated;
  const bold = now < row.bold && !row.elapsed;
  const state = row.status === "normal" ? "running" : row.status;
  const names = ["row", row.status];
  if (bold) names.push("bold");
  if (age >= STUCK) names.push("stuck");
  if (total === null) names.push("wide");
  const className = names.join(" ");
  if (cells.row.className !== className) cells.row.className = className;
  const still = age >= QUIET ? "○" : "●";
  set(cells.mark, row.pinned || row.elapsed ? "" : { warning: "!", error: "✗" }[row.status] || still);
  label(cells.mark, state);
  set(cells.prefix, prefix(row));
  const elapsed = row.elapsed ? duration(Math.max(0, now - row.added)) : "";
  set(cells.text, row.text && elapsed ? `${row.text} · ${elapsed}` : row.text || elapsed);
  set(cells.count, progress ? amount(progress) : "");
  set(cells.rate, age >= QUIET ? "" : rate(progress));
  set(cells.tail, age >= QUIET ? `quiet ${quiet(age)}` : left(progress));
  if (total === null) {
    if (cells.bar) cells.bar.remove();
    cells.bar = null;
    set(cells.percent, "");
  } else {
    const share = total === 0 ? 0 : Math.min(1, progress.position / total);
    if (!cells.bar) {
      cells.bar = create("progress", "");
      cells.percent.before(cells.bar);
    }
    const value = Math.floor(share * 1000) / 1000;
    if (cells.bar.value !== value || !cells.bar.hasAttribute("value")) cells.bar.value = value;
    label(cells.bar, `${prefix(row) || row.text || "progress"}`);
    set(cells.percent, `${Math.floor(share * 100)}%`);
  }
  drawOutput(cells, row.output || []);
  return bold ? row.bold : Infinity;
}

/** Shows the last lines of output of a job below its row. */
function drawOutput(cells, lines) {
  if (lines.length && !cells.output) cells.row.append(cells.output = create("p", "output"));
  if (cells.output) {
    set(cells.output, lines.join("\n"));
    cells.output.hidden = lines.length === 0;
  }
}

function createPast(item) {
  if (item.kind !== "end") {
    const line = create("li", item.kind);
    line.textContent = item.kind === "gap" ? "… earlier rows and lines are not kept" : item.text;
    return line;
  }
  const cells = createRow();
  cells.row.className = `row ${item.status} ${item.outcome || ""}`;
  cells.mark.textContent = MARKS[item.outcome] || "";
  cells.mark.setAttribute("aria-label", item.outcome || "finished");
  cells.prefix.textContent = prefix(item);
  cells.text.textContent = item.text;
  for (const part of ["percent", "count", "rate"]) cells[part].remove();
  const parts = [];
  if (item.progress && item.progress.position > 0) {
    parts.push(amount(item.progress, item.outcome === "finished"));
  }
  const time = taken(Math.max(0, item.at - item.added));
  parts.push(item.outcome === "finished" || !item.outcome ? `in ${time}` : `after ${time}`);
  if (item.outcome && !["finished", "failed"].includes(item.outcome)) parts.unshift(item.outcome);
  cells.tail.textContent = parts.join(" ");
  if (item.outcome === "failed" || item.outcome === "panicked") drawOutput(cells, item.output || []);
  if (item.outcome === "failed") {
    const message = create("p", "message");
    message.textContent = item.message || "failed";
    cells.row.append(message);
  }
  return cells.row;
}

/** Puts the elements into a list in this order, and removes all others. */
function fill(list, wanted) {
  let next = list.firstChild;
  for (const element of wanted) {
    if (element === next) next = next.nextSibling;
    else list.insertBefore(element, next);
  }
  while (next) {
    const other = next;
    next = next.nextSibling;
    other.remove();
  }
}

/** Sets a column width in characters. It shrinks only if much of it is not needed. */
const widths = {};
function column(name, least, most, texts) {
  let width = least;
  for (const text of texts) width = Math.max(width, Math.min(most, text.length));
  const before = widths[name] || 0;
  if (width > before || width < before - 6) {
    widths[name] = width;
    document.documentElement.style.setProperty(`--${name}`, `${width}ch`);
  }
}

const words = () => $("find").value.toLowerCase().split(/\s+/).filter(Boolean);
const matches = (item, found) => {
  const text = `${item.prefix || ""} ${item.text || ""} ${item.message || ""}`.toLowerCase();
  return found.every((word) => text.includes(word));
};
const groupOf = (row) => (/^\S+/.exec(row.prefix) || ["other"])[0].replace(/:$/, "");

/** Returns the rows to show: all, or errors and then those that changed last. */
function choose(wanted, now) {
  if (wanted.length <= SHOWN) {
    chosen = new Set();
    chosenAt = -Infinity;
    return wanted;
  }
  const kept = wanted.filter((row) => chosen.has(row.id));
  if (now - chosenAt < 1 && kept.length === SHOWN) return kept;
  // A row that is shown and still changes keeps its place.
  const rank = (row) => (row.status === "error" ? 2 : 0) + (chosen.has(row.id) && now - row.updated < 1 ? 1 : 0);
  const ranked = wanted.map((row) => [rank(row), row]);
  ranked.sort(([a, one], [b, other]) => b - a || other.updated - one.updated || one.id - other.id);
  chosen = new Set(ranked.slice(0, SHOWN).map(([, row]) => row.id));
  chosenAt = now;
  return wanted.filter((row) => chosen.has(row.id));
}

/** Returns the place of a row among its siblings. A row keeps it when its neighbor ends. */
function keyOf(row) {
  if (row.key !== undefined) return row.key;
  const { above, below } = row.place || {};
  const neighbor = rows.get(above || below);
  row.key = row.id;
  if (neighbor && neighbor !== row) {
    // The newest row is the nearest.
    const side = above ? "above" : "below";
    neighbor[side] = (neighbor[side] || 0) + 1;
    row.key = keyOf(neighbor) + (above ? -1 : 1) * .5 ** (neighbor[side] + 1);
  }
  return row.key;
}

/** Returns rows as on the terminal: in order, and subtasks below their job. */
function inOrder(wanted) {
  const subtasks = new Map(wanted.map((row) => [row.id, []]));
  const first = [];
  wanted.sort((a, b) => a.id - b.id).forEach(keyOf);
  for (const row of wanted.sort((a, b) => a.key - b.key)) (subtasks.get(row.parent) || first).push(row);
  const ordered = [];
  const add = (row) => {
    ordered.push(row);
    subtasks.get(row.id).forEach(add);
  };
  first.forEach(add);
  return ordered;
}

function draw() {
  const now = boardTime(), found = words();
  const all = [...rows.values()];
  const running = all.filter((row) => !row.pinned), pinned = all.filter((row) => row.pinned);
  // Before other changes, so that its look at the place of the scroll bar is cheap.
  drawPast(found);
  drawGroups(running, now);
  let wanted = running;
  if (group !== null) wanted = wanted.filter((row) => row.group === group);
  if (found.length) wanted = wanted.filter((row) => matches(row, found));
  const shown = choose(wanted, now);

  let next = Infinity;
  const drawList = (list, rows) => fill(list, inOrder(rows).map((row) => {
    let cells = elements.get(row.id);
    if (!cells) elements.set(row.id, cells = createRow());
    next = Math.min(next, drawRunning(cells, row, now));
    cells.row.classList.toggle("subtask", row.parent !== undefined && ids.has(row.parent));
    return cells.row;
  }));
  const ids = new Set([...shown, ...pinned].map((row) => row.id));
  drawList($("running"), shown);
  drawList($("pinned"), pinned);
  for (const id of elements.keys()) if (!ids.has(id)) elements.delete(id);
  const visible = [...elements.values()];
  column("prefix", 6, 22, [...visible.map((cells) => cells.prefix.shown || ""), ...past.slice(-50).map((item) => item.prefix || "")]);
  column("text", 12, 44, visible.map((cells) => cells.bar ? cells.text.shown || "" : ""));
  column("count", 0, 28, visible.map((cells) => cells.bar ? cells.count.shown || "" : ""));
  column("rate", 0, 12, visible.map((cells) => cells.rate.shown || ""));
  column("tail", 0, 22, visible.map((cells) => cells.tail.shown || ""));

  const hidden = wanted.length - shown.length;
  const failed = hidden && wanted.filter((row) => row.status === "error").length - shown.filter((row) => row.status === "error").length;
  $("more").hidden = hidden === 0;
  set($("more"), `… +${numbers.format(hidden)} more${failed ? ` (${failed} failed)` : ""}`);
  $("pinned-part").hidden = pinned.length === 0;
  $("empty").hidden = closed || running.length > 0;
  document.body.classList.toggle("ended", closed);
  drawCounts();
  clearTimeout(timer);
  // Ages change every second, and bold rows when their second is over.
  const wait = Math.min((next - now) / clock.rate + .02, rows.size ? 1 : Infinity);
  if (wait < Infinity && !document.hidden) timer = setTimeout(schedule, Math.max(wait, .1) * 1000);
}

function drawPast(found) {
  const part = $("past-part"), list = $("past");
  past = past.slice(-PAST);
  const added = past.some((item) => !item.element);
  const bottom = added && part.scrollTop + part.clientHeight >= part.scrollHeight - 8;
  for (const item of past) {
    if (!item.element) list.append(item.element = createPast(item));
    const hidden = found.length > 0 && !matches(item, found);
    if (item.element.hidden !== hidden) item.element.hidden = hidden;
  }
  while (list.childElementCount > past.length) list.firstChild.remove();
  part.hidden = past.length === 0;
  if (bottom) part.scrollTop = part.scrollHeight;
}

/** The number of running and failed rows by group, at most a second old. */
let groups = new Map(), groupsAt = -Infinity;

function countGroups(running, now) {
  if (now - groupsAt < 1) return;
  groups = new Map();
  groupsAt = now;
  if (running.length <= SHOWN) return;
  for (const row of running) {
    const one = groups.get(row.group);
    if (one) one.running += 1;
    else groups.set(row.group, { running: 1, failed: 0 });
  }
  for (const item of past) {
    const failed = item.outcome === "failed" || item.outcome === "panicked";
    const one = failed && groups.get(groupOf(item));
    if (one) one.failed += 1;
  }
  if (groups.size < 2 || groups.size > running.length / 2) groups = new Map();
}

function drawGroups(running, now) {
  countGroups(running, now);
  if (!groups.has(group)) group = null;
  $("groups-part").hidden = groups.size === 0;
  const list = $("groups");
  const keys = [...groups.keys()].sort().slice(0, GROUPS);
  while (list.childElementCount > keys.length) list.lastChild.remove();
  keys.forEach((key, index) => {
    let item = list.children[index];
    if (!item) {
      item = create("li", "");
      item.button = create("button", "");
      item.button.type = "button";
      item.button.onclick = () => {
        group = group === item.key ? null : item.key;
        schedule();
      };
      item.button.append(item.running = create("span", ""), item.failed = create("span", "some-failed"));
      item.append(item.button);
      list.append(item);
    }
    item.key = key;
    const { running, failed } = groups.get(key);
    set(item.running, `${key} · ${numbers.format(running)} running`);
    set(item.failed, failed ? `, ${numbers.format(failed)} failed` : "");
    const pressed = String(group === key);
    if (item.button.ariaPressed !== pressed) item.button.ariaPressed = pressed;
  });
}

function drawCounts() {
  const failed = (counts.failed || 0) + (counts.panicked || 0);
  set($("failed"), failed ? `${numbers.format(failed)} failed` : "");
  const names = [["running", "running"], ["finished", "done"], ["cancelled", "cancelled"], ["lost", "lost"], ["abandoned", "abandoned"]];
  const parts = names.filter(([name]) => counts[name]).map(([name, word]) => `${numbers.format(counts[name])} ${word}`);
  set($("counts"), parts.join(" · "));
}

let scheduled = false, timer = 0;
function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    draw();
  });
}

$("find").oninput = schedule;
document.onvisibilitychange = schedule;
connect();
